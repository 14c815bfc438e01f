SELECT link, confidence, unmatched_reason, count(*) AS calls
FROM correlated
WHERE true$limits
GROUP BY link, confidence, unmatched_reason
