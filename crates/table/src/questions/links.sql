SELECT link, confidence, unmatched_reason, count(*) AS calls
FROM (
  SELECT
    *, $nth_call
  FROM correlated
  WHERE true$limits
) AS logged
WHERE nth = 1
GROUP BY link, confidence, unmatched_reason
