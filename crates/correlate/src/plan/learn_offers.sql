-- One row per scope and event that shows a volume at an instance. The offer ends with the instance.
SELECT
  unnest(make_array('1|at|' || account || '|' || region || '|' || volume, '2|at|' || volume)) AS key,
  t,
  at || ' ' || instance AS offer
FROM evidence
