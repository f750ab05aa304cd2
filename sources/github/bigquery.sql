-- The files of GitHub's public repositories under MIT, BSD and Apache licences, from BigQuery's github_repos.
--
-- What it makes is the input of `python -m sources.github`: JSON lines, gzipped, of at most 1 GB each. Replace BUCKET, and
-- run it in a project of your own. It reads the whole table of contents, which BigQuery bills by its size, some TB.
--
-- A join of contents with files multiplies rows: one blob is in many repositories, at many paths, and a repository can
-- have more than one licence row. So licences are collapsed first: a repository takes part where all of its licences
-- are allowed, and has one row, in which all of them are named. Then each (repository, path) takes one row. Identical
-- contents in different repositories stay: `sources.github` removes them, after it has taken the licence headers out.

EXPORT DATA OPTIONS (
  uri = 'gs://BUCKET/github/*.json.gz',
  format = 'JSON',
  compression = 'GZIP',
  overwrite = false
) AS
WITH
  allowed AS (
    SELECT
      repo_name,
      STRING_AGG(DISTINCT license, ' AND ' ORDER BY license) AS license
    FROM `bigquery-public-data.github_repos.licenses`
    GROUP BY repo_name
    HAVING LOGICAL_AND(license IN ('mit', 'bsd-2-clause', 'bsd-3-clause', 'apache-2.0'))
  ),
  placed AS (
    SELECT
      repo_name,
      path,
      -- one row for each file, whatever refs it is listed under: the first by name
      ARRAY_AGG(STRUCT(ref, id) ORDER BY ref, id LIMIT 1)[OFFSET(0)].*
    FROM `bigquery-public-data.github_repos.files`
    -- 40960 is octal 120000, git's mode of a symbolic link, whose contents are the path that it points to
    WHERE symlink_target IS NULL AND mode != 40960
    GROUP BY repo_name, path
  )
SELECT
  placed.repo_name,
  placed.path,
  placed.ref,
  contents.id,
  allowed.license,
  contents.size,
  contents.binary,
  contents.content
FROM placed
JOIN allowed ON allowed.repo_name = placed.repo_name
JOIN `bigquery-public-data.github_repos.contents` AS contents ON contents.id = placed.id
WHERE contents.content IS NOT NULL AND NOT contents.binary
