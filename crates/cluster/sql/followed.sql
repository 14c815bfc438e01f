-- One row per access key that STS issued: the key with which it was asked for, if STS issued that one too, else itself.
SELECT
  i.issued,
  coalesce(n.issued, i.issued) AS last
FROM issued i
LEFT JOIN issued n ON n.issued = i.access_key_id
