//! The cases in which conditions are met: alternatives, each of which is a list of tests.

use std::collections::BTreeMap;

use punchcard_models::data::OpenData;

use super::{answer::Answer, effort::Effort, field, week::WeekSet};
use crate::{
    condition::{Condition, Test},
    zone::LocalTime,
};

/// Maximum number of cases of one rule.
const MAX_CASES: usize = 64;

/// Tests, all of which must be met.
#[derive(Debug, Clone, Default)]
pub(super) struct Case<'c> {
    pub fields: BTreeMap<&'c str, Vec<&'c Test>>,
    /// The local times that are allowed. `None`: all.
    pub times: Option<WeekSet>,
}

/// Alternatives, one of which must be met. `None`: there are more than [`MAX_CASES`].
pub(super) type Cases<'c> = Option<Vec<Case<'c>>>;

impl<'c> Case<'c> {
    pub fn and(&self, other: &Case<'c>) -> Case<'c> {
        let mut both = self.clone();
        for (field, tests) in &other.fields {
            both.fields.entry(field).or_default().extend(tests);
        }
        if let Some(times) = &other.times {
            both.restrict(times);
        }
        both
    }

    pub fn restrict(&mut self, times: &WeekSet) {
        self.times = Some(self.times.as_ref().map_or_else(|| times.clone(), |own| own.and(times)));
    }

    /// Returns whether the case can occur.
    pub fn can_occur(&self, may_be_array: bool) -> Answer {
        if self.has_no_time() {
            return Answer::No;
        }
        Answer::all(self.fields.values().map(|tests| field::can_be_met(tests, may_be_array)))
    }

    pub fn has_no_time(&self) -> bool {
        self.times.as_ref().is_some_and(WeekSet::is_empty)
    }

    /// A field whose tests contradict each other.
    pub fn contradiction(&self, may_be_array: bool) -> Option<&'c str> {
        let mut fields = self.fields.iter();
        fields.find(|(_, tests)| field::can_be_met(tests, may_be_array) == Answer::No).map(|(field, _)| *field)
    }

    /// Data and a time in which the case occurs, if some are found.
    pub fn example(&self, may_be_array: bool) -> Option<(OpenData, LocalTime)> {
        let mut data = OpenData::new();
        for (name, tests) in &self.fields {
            data.extend(field::example(tests, may_be_array)?.datum().map(|datum| ((*name).to_owned(), datum)));
        }
        let any = LocalTime { day: 0, millis_of_day: 0 };
        Some((data, self.times.as_ref().map_or(Some(any), WeekSet::first)?))
    }

    /// Returns whether a condition is met whenever the case occurs.
    pub fn implies(&self, condition: &Condition, may_be_array: bool) -> Answer {
        match condition {
            Condition::Field(condition) => {
                let tests = self.fields.get(&*condition.field).map_or(&[][..], |tests| tests);
                Answer::all(condition.tests.iter().map(|test| field::implies(tests, test, may_be_array)))
            }
            Condition::Schedule(schedule) => {
                let is_within = self.times.as_ref().is_some_and(|times| times.is_within(&WeekSet::of(schedule)));
                if is_within { Answer::Yes } else { Answer::No }
            }
            Condition::All(parts) => Answer::all(parts.iter().map(|part| self.implies(part, may_be_array))),
            Condition::Any(parts) => {
                match Answer::any(parts.iter().map(|part| self.implies(part, may_be_array))) {
                    // Each alternative may be met at other times than the others.
                    Answer::No if parts.len() > 1 => Answer::Undecided,
                    answer => answer,
                }
            }
        }
    }
}

/// Returns the cases in which all conditions are met.
pub(super) fn of_all(conditions: &[Condition]) -> Cases<'_> {
    let mut all = vec![Case::default()];
    for condition in conditions {
        let cases = of(condition)?;
        if all.len() * cases.len() > MAX_CASES {
            return None;
        }
        all = all.iter().flat_map(|case| cases.iter().map(|other| case.and(other))).collect();
    }
    Some(all)
}

fn of(condition: &Condition) -> Cases<'_> {
    match condition {
        Condition::Field(condition) => {
            let fields = [(&*condition.field, condition.tests.iter().collect())].into();
            Some(vec![Case { fields, times: None }])
        }
        Condition::Schedule(schedule) => {
            Some(vec![Case { fields: BTreeMap::new(), times: Some(WeekSet::of(schedule)) }])
        }
        Condition::All(parts) => of_all(parts),
        Condition::Any(parts) => {
            let mut any = Vec::new();
            for part in parts {
                any.extend(of(part)?);
                if any.len() > MAX_CASES {
                    return None;
                }
            }
            Some(any)
        }
    }
}

/// Returns false only if no occurrence can meet the conditions of both.
pub(super) fn can_coincide(one: &Cases<'_>, other: &Cases<'_>, may_be_array: bool, effort: &Effort) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    one.iter().any(|one| {
        other.iter().any(|other| {
            // A case by itself was found possible before.
            let is_alone = [one, other].iter().any(|case| case.fields.is_empty() && case.times.is_none());
            is_alone || !effort.take(100) || one.and(other).can_occur(may_be_array) != Answer::No
        })
    })
}
