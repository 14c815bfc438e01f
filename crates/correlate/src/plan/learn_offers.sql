-- One row per scope and event that shows a volume at an instance. The offer ends with the instance; `is_there`: the
-- volume is there afterwards, too.
SELECT
  unnest(make_array('1|at|' || account || '|' || region || '|' || volume, '2|at|' || volume)) AS key,
  t,
  at || ' ' || instance AS offer,
  source <> 'DetachVolume' AS is_there
FROM evidence
