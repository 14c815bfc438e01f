-- One row per scope and event that shows a volume at an instance. The offer ends with the instance, and with `-` where
-- the volume is not there afterwards.
SELECT
  explode(array('1|at|' || account || '|' || region || '|' || volume, '2|at|' || volume)) AS key,
  t,
  at || ' ' || instance || CASE WHEN source = 'DetachVolume' THEN '-' ELSE '' END AS offer
FROM evidence
