//! Answers of an analysis that cannot decide every question.

/// The answer to a question. It is never wrong, but it may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Undecided,
}

impl Answer {
    /// Yes if all answers are, no if one is.
    pub fn all(answers: impl IntoIterator<Item = Answer>) -> Answer {
        let mut all = Answer::Yes;
        for answer in answers {
            match answer {
                Answer::Yes => {}
                Answer::No => return Answer::No,
                Answer::Undecided => all = Answer::Undecided,
            }
        }
        all
    }

    /// Yes if one answer is, no if all are.
    pub fn any(answers: impl IntoIterator<Item = Answer>) -> Answer {
        Answer::all(answers.into_iter().map(Answer::negated)).negated()
    }

    fn negated(self) -> Answer {
        match self {
            Answer::Yes => Answer::No,
            Answer::No => Answer::Yes,
            Answer::Undecided => Answer::Undecided,
        }
    }
}
