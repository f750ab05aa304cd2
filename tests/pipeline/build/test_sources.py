"""Which units of a source come next."""

from types import SimpleNamespace

import pytest

from pipeline.build.recipe import SourceBuild
from pipeline.build.sources import SourceMaker
from pipeline.build.stages import Stage
from pipeline.build.work import DONE, FAILED, RUNNING, Record, Work
from tests.pipeline.build.test_need import NEED, UNITS


def next_units(tmp_path, record, **source):
    maker = SourceMaker(SimpleNamespace(work=Work(str(tmp_path)), options=SimpleNamespace(needs={"books": NEED})))
    maker._units["books"] = UNITS
    made = Stage("books", (), {}, outputs=("corpus/books",), source=SourceBuild({"publisher": "files"}, **source))
    return maker.batch(made, record)


@pytest.mark.parametrize("source", [{}, {"share": "questions"}])
@pytest.mark.parametrize("status", [RUNNING, FAILED])
def test_what_a_kill_broke_off_is_finished_with_the_units_and_the_share_that_it_had(tmp_path, source, status):
    begun = Record({}, status, units=[unit.name for unit in UNITS[:84]], raw_bytes=900.0, share=0.1)
    assert next_units(tmp_path, begun, **source) == []
    first = next_units(tmp_path, Record({}), **source)
    assert len(first) == (1000 if source else 84)
    assert len(next_units(tmp_path, Record({}, DONE, units=[unit.name for unit in UNITS[:9]]), **source)) > 80
