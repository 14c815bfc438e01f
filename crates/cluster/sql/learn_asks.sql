-- One row per scope in which a KMS event that knows its volume looks for the instance that the volume was at.
SELECT
  explode(array('1|at|' || account || '|' || region || '|' || volume, '2|at|' || volume)) AS key,
  t,
  rid
FROM rows
WHERE teaches AND volume IS NOT NULL AND instance IS NULL
