-- The same, twice as far as {steps}.
SELECT
  f.issued,
  n.last
FROM {steps} f
JOIN {steps} n ON n.issued = f.last
