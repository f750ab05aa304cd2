"""What of the inputs is a paper, and in which shards."""

import io
import tarfile

import pytest

from pipeline.errors import InputError
from sources.arxiv.plan import plan_inputs


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def tar_with(path, *names):
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO())


def shards(plan, folder):
    return {
        s.name: (s.scope, [f.path.removeprefix(f"{folder}/") for f in s.inputs])
        for scope in plan.scopes
        for s in scope.shards
    }


def test_a_bulk_tar_is_a_shard_and_a_month_a_scope(tmp_path):
    for name in ("arXiv_src_2005_001.tar", "arXiv_src_2005_002.tar", "arXiv_src_9912_001.tar"):
        write(tmp_path, name)
    tar_with(tmp_path / "renamed.tar", "2005/", "2005/2005.99001.gz")
    plan = plan_inputs([str(tmp_path)], 10)
    assert shards(plan, tmp_path) == {
        "arXiv_src_2005_001": ("2005", ["arXiv_src_2005_001.tar"]),
        "arXiv_src_2005_002": ("2005", ["arXiv_src_2005_002.tar"]),
        "renamed": ("2005", ["renamed.tar"]),
        "arXiv_src_9912_001": ("9912", ["arXiv_src_9912_001.tar"]),
    }
    assert plan.tars == frozenset(str(path) for path in tmp_path.iterdir())


def test_eprints_are_files_and_folders(tmp_path):
    tar_with(tmp_path / "paper.tar", "main.tex")
    write(tmp_path, "2005.99001v1.gz", "hep-th9901001.gz", "note.tex", "README", "arXiv_src_manifest.xml", "refs.bib")
    write(tmp_path, "2005.99002/main.tex", "2005.99002/fig/a.eps", "mine/a.tex", "mirror/2006/2006.99001.tar.gz")
    plan = plan_inputs([str(tmp_path)], 2)
    assert shards(plan, tmp_path) == {
        "eprints-2005-00000": ("2005", ["2005.99001v1.gz", "2005.99002/fig/a.eps", "2005.99002/main.tex"]),
        "eprints-2006-00000": ("2006", ["mirror/2006/2006.99001.tar.gz"]),
        "eprints-9901-00000": ("9901", ["hep-th9901001.gz"]),
        "eprints-other-00000": ("other", ["mine/a.tex", "note.tex"]),
        "eprints-other-00001": ("other", ["paper.tar"]),
    }
    assert plan.papers == 7
    top = f"{tmp_path}/2005.99002"
    assert plan.folders == {
        f"{top}/fig/a.eps": (top, f"{top}/fig/a.eps", f"{top}/main.tex"),
        f"{top}/main.tex": (),
        f"{tmp_path}/mine/a.tex": (f"{tmp_path}/mine", f"{tmp_path}/mine/a.tex"),
    }
    assert [path.rpartition("/")[2] for path in plan.passed_over] == ["README", "arXiv_src_manifest.xml", "refs.bib"]


def test_a_bulk_tar_is_one_wherever_it_lies(tmp_path):
    write(tmp_path, "src/arXiv_src_2005_001.tar", "src/arXiv_src_manifest.xml", "src/README.md", "src/notes.txt")
    write(tmp_path, "2005.99001/arXiv_src_2006_001.tar", "2005.99001/main.tex", "mirror/2006.99002.gz", "mirror/README")
    plan = plan_inputs([str(tmp_path)], 10)
    assert {path.removeprefix(f"{tmp_path}/") for path in plan.tars} == {
        "src/arXiv_src_2005_001.tar",
        "2005.99001/arXiv_src_2006_001.tar",
    }
    assert shards(plan, tmp_path)["eprints-2006-00000"] == ("2006", ["mirror/2006.99002.gz"])
    assert plan.papers == 3  # with the folder that is a paper, and the one that holds notes


def test_the_same_tar_twice_has_two_names(tmp_path):
    write(tmp_path, "a/arXiv_src_2005_001.tar", "b/arXiv_src_2005_001.tar")
    names = sorted(shards(plan_inputs([str(tmp_path)], 10), tmp_path))
    assert names[0] == "arXiv_src_2005_001"
    assert names[1].startswith("arXiv_src_2005_001-")


def test_bulk_tars_of_pdfs_and_folders_without_papers_are_refused(tmp_path):
    write(tmp_path / "none", "readme.txt")
    with pytest.raises(InputError, match="no paper among"):
        plan_inputs([str(tmp_path / "none")], 10)
    write(tmp_path, "arXiv_pdf_2005_001.tar")
    with pytest.raises(InputError, match="holds PDFs"):
        plan_inputs([str(tmp_path)], 10)
