//! The links of a generated trail are the truth's and the oracle's.

#[tokio::test]
async fn links_of_a_generated_trail_are_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let trial = truth::run(folder.path(), 20_000, 11).await.unwrap();
    let verdict = truth::judge(folder.path(), &trial.lake).unwrap();
    assert_eq!(verdict.unexpected, Vec::<String>::new());
    for flow in ["A", "B", "C", "D", "E", "F1", "G"] {
        let score = verdict.flows.get(flow).unwrap_or_else(|| panic!("the trail has no flow {flow}"));
        assert!(score.expected > 0, "the trail has no unambiguous row of flow {flow}");
        assert_eq!(score.right, score.expected, "flow {flow}: {:#?}", score.differences);
    }
    assert!(truth::ask_oracle(&trial.lake).unwrap() > 0);
}
