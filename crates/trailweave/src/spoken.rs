//! An error and its causes as one line, which says nothing twice and shows no markup of a server.

/// Writes an error with its causes. A cause that repeats what was said is left out.
pub(crate) fn spoken(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = without_markup(&cause.to_string());
        let is_said = said.contains(&text) || said.contains(ROOM) && text.contains("No space left on device");
        if is_said || text.is_empty() {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&text);
    }
    said
}

/// The words in which an error of a file says that its disk is full.
const ROOM: &str = "no space is left";

/// Puts the code and the message in the place of the XML in which a server of S3 answers.
fn without_markup(text: &str) -> String {
    let Some(begin) = text.find("<?xml").or_else(|| text.find("<Error>")) else { return text.to_owned() };
    let (before, markup) = text.split_at(begin);
    let after = markup.split_once("</Error>").map_or("", |(_, after)| after);
    let between = |start, end| Some(markup.split_once(start)?.1.split_once(end)?.0);
    let answer = [between("<Code>", "</Code>"), between("<Message>", "</Message>")];
    format!("{before}{}{after}", answer.into_iter().flatten().collect::<Vec<_>>().join(", ")).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_answer_in_xml_is_its_code_and_its_message() {
        let answer = "404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>The bucket does not \
                      exist</Message><RequestId>1</RequestId></Error>";
        let error = anyhow!("{answer}").context("cannot list `s3://b/`; check the name of the bucket");
        let expected = "cannot list `s3://b/`; check the name of the bucket: 404 Not Found: NoSuchBucket, The bucket does not exist";
        assert_eq!(spoken(&error), expected);
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let full = || anyhow!("No space left on device (os error 28)");
        let twice = full().context("External: No space left on device (os error 28)").context("cannot write `a`");
        assert_eq!(spoken(&twice), "cannot write `a`: External: No space left on device (os error 28)");
        let said = full().context("cannot write `a`; no space is left: free some and run again");
        assert_eq!(spoken(&said), "cannot write `a`; no space is left: free some and run again");
    }
}
