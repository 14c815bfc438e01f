-- The same, twice as far as the step `:followed`.
SELECT
  f.issued,
  n.last
FROM IDENTIFIER(:followed) f
JOIN IDENTIFIER(:followed) n ON n.issued = f.last
