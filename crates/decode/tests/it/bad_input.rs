//! Odd and bad input gets rows, rejects, or an error for the whole object.

use std::io::Write;
use std::mem::discriminant;

use arrow::array::AsArray;
use trailweave_decode::DecodeError;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Selection;
use trailweave_decode::Survey;
use trailweave_decode::plain;
use trailweave_table::Tally;

use crate::objects::{LEAST, all, decode, events, reasons, text};

#[test]
fn every_envelope_gives_its_records() {
    let quoted = serde_json::to_string(LEAST).unwrap();
    let quoted_event = serde_json::to_string(&format!(r#"{{"detail-type":"x","detail":{LEAST}}}"#)).unwrap();
    for (object, n_rows) in [
        (format!(r#"{{"Records":[{LEAST},{LEAST}]}}"#), 2),
        (format!(r#"{{"other":[1],"Records":[{LEAST}],"more":{{"Records":[1]}}}}"#), 1),
        (format!(r#"{{"Records":[{LEAST}],"Records":[{LEAST}]}}"#), 2),
        (format!(r#"{{"\u0052ecords":[{LEAST}]}}"#), 1),
        (format!("\u{feff} [{LEAST} ,\n {LEAST}]\n"), 2),
        (LEAST.to_owned(), 1),
        (format!("{LEAST}\n{LEAST}\r\n\n{LEAST}"), 3),
        (format!("\u{feff}{LEAST}\u{feff}{LEAST}"), 2),
        (format!(r#"{{"Records":[{LEAST}]}}{{"Records":[]}} [{LEAST}]"#), 2),
        (format!(r#"{{"detail-type":"AWS API Call via CloudTrail","detail":{LEAST},"version":"0"}}"#), 1),
        (format!("{{\"detail\":{LEAST},\"detail-type\":\"x\"}}\n{{\"detail\":{LEAST},\"detail-type\":\"x\"}}"), 2),
        (format!(r#"[{{"detail":{LEAST},"detail-type":"x"}}, {{"Records":[{LEAST}]}}]"#), 2),
        (format!(r#"{{"NextToken":"t","Events":[{{"EventId":"e","CloudTrailEvent":{quoted}}}]}}"#), 1),
        (format!("{{\"CloudTrailEvent\":{quoted}}}\n{LEAST}"), 2),
        (format!("[{quoted}, {quoted}]"), 2),
        (format!(r#"{{"Records":[{quoted}]}}"#), 1),
        (format!("{quoted}\n{quoted}"), 2),
        (quoted.clone(), 1),
        (log_events("DATA_MESSAGE", &[&quoted, &quoted]), 2),
        (log_events("DATA_MESSAGE", &[&quoted]).repeat(3), 3),
        (log_events("DATA_MESSAGE", &[&quoted_event]), 1),
        (log_events("CONTROL_MESSAGE", &[r#""checking health of destination""#]), 0),
        (format!(r#"{{"detail-type":"x","detail":{LEAST}}}"#).repeat(3), 3),
        (r#"{"Records":[]}"#.to_owned(), 0),
        (" [ ] ".to_owned(), 0),
        (r#"{"Events":[]}"#.to_owned(), 0),
    ] {
        let tally = all(&object).tally;
        assert_eq!((tally.rows, tally.records), (n_rows, n_rows), "{object}");
    }
}

/// Makes what a subscription to CloudWatch Logs delivers.
fn log_events(kind: &str, messages: &[&str]) -> String {
    let events: Vec<_> = messages.iter().map(|message| format!(r#"{{"id":"1","message":{message}}}"#)).collect();
    format!(r#"{{"messageType":"{kind}","logGroup":"trail","logEvents":[{}]}}"#, events.join(","))
}

#[test]
fn a_log_event_that_holds_no_record_is_a_reject() {
    let decoded = all(log_events("DATA_MESSAGE", &[r#""hello world""#, "1", r#""{""#, r#""{}""#]));
    assert_eq!(reasons(&decoded), ["invalid_json", "invalid_event_time", "invalid_json", "invalid_event_time"]);
}

#[test]
fn gzip_in_gzip_is_inflated_twice_and_no_more() {
    let members = [gzip(LEAST.as_bytes()), gzip(LEAST.as_bytes())].concat();
    let twice = gzip(&members);
    assert_eq!(all(&twice).tally.rows, 2);
    assert_eq!(all(&twice).inflated_bytes, 2 * LEAST.len() as u64);
    decode(Selection::All, gzip(&twice)).unwrap_err();
    let options = DecodeOptions { cap_bytes: 150, selection: Selection::All, ..DecodeOptions::default() };
    let error = trailweave_decode::Decoder::new(options).decode("a", &twice).unwrap_err();
    assert_eq!(error, DecodeError::TooLarge { cap_bytes: 150 });
}

#[test]
fn a_notification_is_a_reject_whatever_the_filter() {
    let notification = LEAST.replace("kms.amazonaws.com", "aws:s3").replace("CreateGrant", "ObjectCreated:Put");
    for selection in [Selection::All, Selection::Relevant] {
        let decoded = decode(selection, format!(r#"{{"Records":[{notification},{LEAST}]}}"#)).unwrap();
        assert_eq!(reasons(&decoded), ["notification"]);
        assert_eq!(decoded.tally.rows, 1);
    }
}

#[test]
fn payloads_that_are_json_as_text_are_read_as_that() {
    let parameters = r#"{"constraints":{"encryptionContextSubset":{"aws:ebs:id":"vol-0f1e2d3c4b5a69788"}}}"#;
    let with = |parameters: &str, response: &str| {
        LEAST.replacen('{', &format!(r#"{{"requestParameters":{parameters},"responseElements":{response},"#), 1)
    };
    let as_logged = events(&all(with(parameters, r#"{"grantId":"00ff"}"#)));
    let as_text = with(&serde_json::to_string(parameters).unwrap(), r#""{\"grantId\":\"00ff\"}""#);
    let as_text = events(&all(format!(r#"{{"Records":[{as_text}]}}"#)));
    assert_eq!(as_text, as_logged);
    assert_eq!(text(&as_text, "grant_id", 0), "00ff");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_record_that_cannot_be_a_row_is_a_reject_whatever_the_filter() {
    let deep = |depth: usize| LEAST.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(depth), "]".repeat(depth)), 1);
    for (record, reason) in [
        ("1".to_owned(), "not_an_object"),
        ("null".to_owned(), "not_an_object"),
        ("[]".to_owned(), "not_an_object"),
        ("\"x\"".to_owned(), "not_an_object"),
        (deep(128), "too_deep"),
        ("{}".to_owned(), "invalid_event_time"),
        (LEAST.replace("2026-09", "2026-13"), "invalid_event_time"),
        (LEAST.replace("\"2026-09-01T06:04:25Z\"", "1788242665"), "invalid_event_time"),
        (LEAST.replace("kms.amazonaws.com", ""), "invalid_event_source"),
        (LEAST.replace("\"CreateGrant\"", "null"), "invalid_event_name"),
        (LEAST.replace("\"CreateGrant\"", "tru"), "invalid_json"),
        (LEAST.replace("CreateGrant", "\\ud800"), "invalid_json"),
        (LEAST.replace("\"CreateGrant\"", "1e999"), "invalid_json"),
        (LEAST.replace(':', ""), "invalid_json"),
        (LEAST.replace('}', ",}"), "invalid_json"),
    ] {
        for selection in [Selection::All, Selection::Relevant] {
            let decoded = decode(selection, format!(r#"{{"Records":[{LEAST},{record},{LEAST}]}}"#)).unwrap();
            assert_eq!(reasons(&decoded), [reason], "{record}");
            assert_eq!(decoded.tally.rows, 2, "{record}");
            assert_eq!(text(&decoded.rejects[0], "record", 0), record);
        }
    }
    assert_eq!(all(deep(127)).tally.rows, 1);
}

#[test]
fn bytes_that_are_not_utf_8_cost_one_record() {
    let mut object = format!(r#"{{"Records":[{LEAST},{LEAST}]}}"#).into_bytes();
    let at = object.windows(6).position(|window| window == b"Create").unwrap();
    object[at] = 0xff;
    let decoded = all(&object);
    assert_eq!(reasons(&decoded), ["invalid_json"]);
    assert!(text(&decoded.rejects[0], "record", 0).contains("\u{fffd}reateGrant"));
}

#[test]
fn an_odd_document_among_several_is_a_reject() {
    let decoded = all(format!("{LEAST}\n17\n{{\"digestEndTime\":1}}\n{{\"a\" 1}}\n{LEAST}"));
    assert_eq!(reasons(&decoded), ["not_an_object", "invalid_event_time", "invalid_json"]);
    assert_eq!(decoded.tally.rows, 2);
}

#[test]
fn an_object_whose_records_cannot_be_told_apart_fails_as_a_whole() {
    let ends_early = DecodeError::JsonEndsEarly { offset: 0 };
    let broken = DecodeError::JsonBroken { offset: 0 };
    for (object, error) in [
        (format!(r#"{{"Records":[{LEAST},"#), &ends_early),
        (format!(r#"{{"Records":[{LEAST}]"#), &ends_early),
        (format!(r#"{{"Records":[{LEAST},{{"a":"b"#), &ends_early),
        (format!(r#"{{"Records":[{LEAST},]}}"#), &broken),
        (format!(r#"{{"Records":[{LEAST} {LEAST}]}}"#), &broken),
        (format!(r#"{{"Records":[{LEAST}}}]"#), &broken),
        (format!("{LEAST},{LEAST}"), &broken),
        (format!("[{LEAST}]]"), &broken),
        ("{}".to_owned(), &DecodeError::NotAnEnvelope),
        (r#"{"digestEndTime":"2026-09-01T06:04:25Z"}"#.to_owned(), &DecodeError::NotAnEnvelope),
        (r#"{"Records":{}}"#.to_owned(), &DecodeError::NotAnEnvelope),
        ("{} [INFO] {}".to_owned(), &DecodeError::NotAnEnvelope),
        (r#"{"digestEndTime":"x"} {"digestEndTime":"y"}"#.to_owned(), &DecodeError::NotAnEnvelope),
        ("17".to_owned(), &DecodeError::NotGzipNorJson),
        (String::new(), &DecodeError::NotGzipNorJson),
    ] {
        let found = decode(Selection::All, &object).unwrap_err();
        assert_eq!(discriminant(&found), discriminant(error), "{object}: {found}");
    }
}

#[test]
fn gzip_of_any_text_fails_as_a_whole() {
    for text in
        ["hello world", "2 123456789010 eni-1 10.0.0.1 OK\n2 123456789010 eni-2 10.0.0.2 OK\n", "<html> </html>"]
    {
        let found = decode(Selection::All, gzip(text.as_bytes())).unwrap_err();
        assert!(matches!(found, DecodeError::NotAnEnvelope | DecodeError::JsonBroken { .. }), "{text}: {found}");
    }
}

#[test]
fn a_field_that_is_there_twice_counts_once_and_the_last_wins() {
    let record = LEAST
        .replacen('{', r#"{"new":1,"errorCode":"A","eventName":7,"#, 1)
        .replace('}', r#","errorCode":"B","new":2}"#);
    let batch = events(&all(record));
    assert_eq!(text(&batch, "event_name", 0), "CreateGrant");
    assert_eq!(text(&batch, "error_code", 0), "B");
    assert_eq!(text(&batch, "extra", 0), r#"{"new":2}"#);
}

#[test]
fn a_decoder_that_failed_goes_on_as_new() {
    let mut decoder = trailweave_decode::Decoder::new(DecodeOptions::default());
    decoder.decode("a", format!("{LEAST} 1 ]").as_bytes()).unwrap_err();
    let second = decoder.decode("b", LEAST.as_bytes()).unwrap();
    assert_eq!((second.tally.records, second.tally.rows, second.rejects.len()), (1, 1, 0));
    assert_eq!(text(&second.events[0], "source_object", 0), "b");
}

#[test]
fn an_object_that_fails_late_leaves_the_rows_of_those_before_it() {
    let mut decoder = trailweave_decode::Decoder::new(DecodeOptions::default());
    decoder.read("a", LEAST.repeat(10).as_bytes()).unwrap();
    // Long enough that the rows before it are in a batch by then.
    decoder.read("b", format!("{} 1 ]", LEAST.repeat(40_000)).as_bytes()).unwrap_err();
    decoder.read("c", LEAST.as_bytes()).unwrap();
    let taken = decoder.take();
    let sources = taken
        .events
        .iter()
        .map(plain)
        .flat_map(|rows| (0..rows.num_rows()).map(move |row| text(&rows, "source_object", row)));
    assert_eq!(sources.collect::<Vec<_>>(), [vec!["a"; 10], vec!["c"]].concat());
    assert!(taken.rejects.is_empty());
}

#[test]
fn a_large_object_becomes_several_batches() {
    let decoded = all(LEAST.repeat(40_000));
    let sizes = decoded.events.iter().map(arrow::array::RecordBatch::num_rows).collect::<Vec<_>>();
    assert_eq!((sizes, decoded.tally.rows), (vec![16_384, 16_384, 7_232], 40_000));
}

#[test]
fn of_a_huge_reject_the_beginning_is_kept_and_the_message_says_so() {
    let huge = "x".repeat((1 << 20) + 5);
    let decoded = all(format!("[\"{huge}\"]"));
    assert_eq!(text(&decoded.rejects[0], "record", 0).len(), 1 << 20);
    assert!(text(&decoded.rejects[0], "message", 0).ends_with("its last 7 bytes are not kept here"));
}

#[test]
fn a_record_too_large_to_parse_is_a_reject_wherever_it_stands() {
    let large = LEAST.replacen('{', &format!("{{\"a\":\"{}\",", "x".repeat(4 << 20)), 1);
    for object in
        [format!("{{\"Records\":[{LEAST},{large}]}}"), format!("[{LEAST},{large}]"), format!("{LEAST}{large}")]
    {
        let decoded = all(object);
        assert_eq!((decoded.tally.records, decoded.tally.rows, decoded.tally.rejects), (2, 1, 1));
        assert_eq!(reasons(&decoded), ["too_large"]);
        assert_eq!(text(&decoded.rejects[0], "record", 0), large[..1 << 20]);
    }
}

#[test]
fn a_record_of_very_many_fields_is_a_reject_wherever_it_stands() {
    let fields = (0..70_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
    let large = LEAST.replacen('{', &format!("{{{fields},"), 1);
    for object in [format!("{{\"Records\":[{LEAST},{large}]}}"), format!("[{LEAST},{large}]")] {
        assert_eq!(reasons(&all(object)), ["too_large"]);
    }
}

#[test]
fn rows_that_take_more_than_their_room_are_left_to_pieces() {
    let mut decoder = trailweave_decode::Decoder::new(DecodeOptions::default());
    decoder.read_within("a", LEAST.as_bytes(), 1 << 20).unwrap();
    let many = format!("[{}]", vec!["{}"; 10_000].join(","));
    assert_eq!(decoder.read_within("b", many.as_bytes(), 1 << 20), Err(DecodeError::NoRoom { room_bytes: 1 << 20 }));
    decoder.read_within("c", LEAST.as_bytes(), 1 << 20).unwrap();
    let taken = decoder.take();
    assert_eq!((taken.events[0].num_rows(), taken.rejects.len()), (2, 0));
    decoder.read_within("b", many.as_bytes(), 8 << 20).unwrap();
    assert_eq!(decoder.take().rejects[0].num_rows(), 10_000);
}

#[test]
fn a_small_record_that_the_quick_pass_does_not_take_is_a_row_of_a_large_object_too() {
    // So many brackets open in one block of 64 bytes that it cannot tell how deep they are.
    let deep = format!("{}{}{}", "[".repeat(108), "[],".repeat(60), "1");
    let odd = LEAST.replacen('{', &format!("{{\"requestParameters\":{{\"a\":{deep}{}}},", "]".repeat(108)), 1);
    let many = vec![LEAST; (5 << 20) / LEAST.len()].join(",");
    let object = format!("{{\"Records\":[{odd},{many}]}}");
    let mut decoder = trailweave_decode::Decoder::new(DecodeOptions::default());
    let Survey::Cut(cuts) = decoder.survey(object.as_bytes(), 1 << 20).unwrap() else { panic!("it is not cut") };
    let pieces = cuts.pieces(object.clone().into_bytes());
    let tally: Tally = pieces.map(|piece| decoder.read_piece("a", &piece).tally).sum();
    assert_eq!((tally, tally.rejects), (decode(Selection::Relevant, &object).unwrap().tally, 0));
}

#[test]
fn a_giant_record_is_passed_over_and_the_others_are_rows() {
    let giant = LEAST.replacen('{', &format!("{{\"a\":\"}}]\\\"{}\",", "x".repeat(5 << 20)), 1);
    for (head, end) in [("{\"Records\":[", "]}"), ("[", "]"), ("{\"a\":{},\"Events\":[", "],\"b\":1}")] {
        for records in [[LEAST, &giant, LEAST], [&giant, LEAST, LEAST], [LEAST, LEAST, &giant]] {
            let object = format!("{head}{}{end}", records.join(" , "));
            let mut decoder = trailweave_decode::Decoder::new(DecodeOptions::default());
            let Survey::Cut(cuts) = decoder.survey(object.as_bytes(), 1_000).unwrap() else {
                panic!("{head} is not cut");
            };
            let pieces = cuts.pieces(object.clone().into_bytes());
            let tally: Tally = pieces.map(|piece| decoder.read_piece("a", &piece).tally).sum();
            assert_eq!((tally.records, tally.rows, tally.rejects), (3, 2, 1), "{head}");
            let rejects = decoder.take().rejects;
            let at = records.iter().position(|record| *record == giant).unwrap();
            let index = rejects[0]["source_index"].as_primitive::<arrow::datatypes::Int64Type>().value(0);
            assert_eq!((&*text(&rejects[0], "record", 0), index), (&giant[..1 << 20], i64::try_from(at).unwrap()));
        }
    }
}
