//! Goals: limits on the ratio of two ways, and whether they are met.

use native_tests::workloads::{Against, Goal, Limit, OURS, On, Workload, all, most};
use serde_json::{Value, json};

use super::measured::Measured;
use super::plan::{COLUMNS, NATIVE, SIMD};

/// A goal, with its result on each column.
#[derive(Clone, Debug)]
pub struct GoalResult {
    /// The workload, or the group if the goal is about several workloads.
    pub name: &'static str,
    /// The group of the workload, which is one line of the short table.
    pub group: &'static str,
    /// The way that it is compared with.
    pub against: String,
    /// The limit on the comparison of the two.
    pub limit: Limit,
    /// The known reason, if the goal is missed.
    pub why: &'static str,
    /// One result for each of the [`COLUMNS`].
    pub verdicts: [Verdict; 4],
}

/// The result of a goal on a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The goal does not apply to the column.
    NoGoal,
    /// The goal cannot be checked. The text gives the reason.
    NotChecked(String),
    /// The goal is met, with the value that the limit applies to.
    Met(f64),
    /// The goal is missed, with the value that the limit applies to.
    Missed(f64),
}

impl Verdict {
    fn of(value: f64, limit: Limit) -> Self {
        if is_met(value, limit) { Self::Met(value) } else { Self::Missed(value) }
    }

    /// The value that the limit applies to.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Met(value) | Self::Missed(value) => Some(*value),
            _ => None,
        }
    }
}

impl GoalResult {
    /// Whether it is missed on any column.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Missed(_)))
    }

    pub(super) fn to_json(&self) -> Value {
        let verdict = |verdict: &Verdict| match verdict {
            Verdict::NoGoal => json!(null),
            Verdict::NotChecked(why) => json!({ "not_judged": why }),
            Verdict::Met(value) => json!({ "value": value, "met": true }),
            Verdict::Missed(value) => json!({ "value": value, "met": false }),
        };
        let verdicts = COLUMNS.into_iter().zip(&self.verdicts).map(|(column, v)| (column.to_owned(), verdict(v)));
        json!({
            "name": self.name, "group": self.group, "against": self.against, "goal": goal_text(self.limit),
            "columns": verdicts.collect::<serde_json::Map<_, _>>(),
            "why": if self.is_missed() { json!(self.why) } else { json!(null) },
        })
    }
}

/// Whether a value is within a limit.
pub(super) fn is_met(value: f64, limit: Limit) -> bool {
    match limit {
        Limit::Times(most) => value <= most,
        Limit::Faster(least) | Limit::FewerBytes(least) => value >= least,
    }
}

/// A limit, in words.
pub(super) fn goal_text(limit: Limit) -> String {
    match limit {
        Limit::Times(most) => format!("at most {most} times"),
        Limit::Faster(1.0) => "faster".to_owned(),
        Limit::Faster(least) => format!("{least} times faster"),
        Limit::FewerBytes(least) => format!("{least} times fewer bytes"),
    }
}

/// Checks the goals of all workloads that were measured.
pub(super) fn judge(measured: &[Measured]) -> Vec<GoalResult> {
    let mut list = Vec::new();
    for workload in all().iter().filter(|workload| measured.iter().any(|m| m.workload == workload.name)) {
        list.extend(workload.goals.iter().map(|goal| GoalResult {
            name: workload.name,
            group: workload.group,
            against: against(goal),
            limit: goal.limit,
            why: goal.why,
            verdicts: COLUMNS.map(|column| verdict(measured, workload, goal, column)),
        }));
    }
    for (group, goal) in most() {
        let is_measured = |workload: &Workload| measured.iter().any(|m| m.workload == workload.name);
        let members: Vec<_> = all().iter().filter(|w| w.group == *group && is_measured(w)).collect();
        let name = *group;
        let verdicts = COLUMNS.map(|column| middle(measured, &members, goal, column));
        if verdicts.iter().any(|verdict| *verdict != Verdict::NoGoal) {
            let against = format!("{}, on most", against(goal));
            list.push(GoalResult { name, group, against, limit: goal.limit, why: goal.why, verdicts });
        }
    }
    list
}

fn against(goal: &Goal) -> String {
    match goal.against {
        Against::Way(way) if goal.ours != OURS => format!("{} MiB against {way}", goal.ours),
        Against::Way(way) => way.to_owned(),
        Against::Fastest(beginning) => format!("{beginning}, the fastest"),
        Against::Native => "the same natively".to_owned(),
    }
}

fn is_checked(on: On, column: &str) -> bool {
    match on {
        On::All => true,
        On::Native => column == NATIVE,
        On::Sandbox => column != NATIVE,
        On::Simd => column == SIMD,
    }
}

fn verdict(measured: &[Measured], workload: &Workload, goal: &Goal, column: &str) -> Verdict {
    if !is_checked(goal.on, column) || !is_checked(workload.on, column) {
        return Verdict::NoGoal;
    }
    match compare(measured, workload, goal, column) {
        Ok(value) => Verdict::of(value, goal.limit),
        Err(why) => Verdict::NotChecked(why),
    }
}

/// The value of the comparison of our way and the other way, to which the limit applies.
fn compare(measured: &[Measured], workload: &Workload, goal: &Goal, column: &str) -> Result<f64, String> {
    let on = |column: &str, is: &dyn Fn(&str) -> bool| {
        let of = measured.iter().filter(|m| m.column == column && m.workload == workload.name && is(&m.way));
        // A way without a time counts as the slowest.
        let time = |m: &&Measured| m.time.as_ref().copied().unwrap_or(f64::INFINITY);
        of.min_by(|a, b| time(a).total_cmp(&time(b))).ok_or_else(|| "not measured".to_owned())
    };
    let ours = on(column, &|way| way == goal.ours)?;
    let theirs = match goal.against {
        Against::Way(name) => on(column, &|way| way == name)?,
        Against::Fastest(beginning) => on(column, &|way| way.starts_with(beginning))?,
        Against::Native => on(NATIVE, &|way| way == goal.ours)?,
    };
    match goal.limit {
        Limit::Times(_) => Ok(ours.time.clone()? / theirs.time.clone()?),
        Limit::Faster(_) => Ok(theirs.time.clone()? / ours.time.clone()?),
        #[expect(clippy::cast_precision_loss, reason = "a ratio of two counts")]
        Limit::FewerBytes(_) => match (ours.bytes(), theirs.bytes()) {
            (Some(ours), Some(theirs)) => Ok(theirs as f64 / ours.max(1) as f64),
            _ => Err("no calls are counted here".to_owned()),
        },
    }
}

/// The result of the median, which is the value that most workloads reach.
fn middle(measured: &[Measured], members: &[&Workload], goal: &Goal, column: &str) -> Verdict {
    let verdicts: Vec<_> = members.iter().map(|workload| verdict(measured, workload, goal, column)).collect();
    let mut values: Vec<f64> = verdicts.iter().filter_map(Verdict::value).collect();
    values.sort_by(f64::total_cmp);
    // For an even number it is the lower one, so that more than half reach it.
    match values.get(values.len().saturating_sub(1) / 2) {
        Some(value) => Verdict::of(*value, goal.limit),
        None => verdicts.into_iter().next().unwrap_or(Verdict::NoGoal),
    }
}

#[cfg(test)]
mod tests {
    use native_tests::counts::{Group, Tally};
    use native_tests::workloads::{Goal, Limit, On, Workload};

    use super::{COLUMNS, Measured, Verdict, middle, verdict};

    fn workload(name: &'static str) -> Workload {
        Workload { name, group: "g", on: On::All, goals: &[], ready: |_, _| {}, hot: false }
    }

    fn measured(column: &'static str, workload: &str, way: &str, time: f64, bytes: u64) -> Measured {
        let mut calls = Tally::new();
        calls.add(Group::Read, "fd_read", bytes);
        Measured { column, workload: workload.into(), way: way.into(), time: Ok(time), calls: Some(calls), peak: None }
    }

    fn verdicts(all: &[Measured], goal: &Goal) -> [Verdict; 4] {
        COLUMNS.map(|column| verdict(all, &workload("w"), goal, column))
    }

    #[test]
    fn a_goal_is_checked_on_its_columns() {
        let all = [measured("native", "w", "ours", 2.0, 0), measured("native", "w", "theirs", 10.0, 0)];
        let goal = Goal::new("theirs", Limit::Faster(4.0), On::Native);
        assert_eq!(verdicts(&all, &goal)[..2], [Verdict::Met(5.0), Verdict::NoGoal]);
        let goal = Goal::new("theirs", Limit::Faster(6.0), On::All);
        assert_eq!(verdicts(&all, &goal)[..2], [Verdict::Missed(5.0), Verdict::NotChecked("not measured".into())]);
    }

    #[test]
    fn an_absent_way_is_not_checked() {
        let mut all = [measured("native", "w", "ours", 2.0, 0), measured("native", "w", "theirs", 10.0, 0)];
        all[1].time = Err("not here".into());
        let goal = Goal::new("theirs", Limit::Times(1.0), On::Native);
        assert_eq!(verdicts(&all, &goal)[0], Verdict::NotChecked("not here".into()));
    }

    #[test]
    fn columns_bytes_and_the_fastest_are_compared() {
        let all = [
            measured("native", "w", "ours", 10.0, 0),
            measured("wasip1 simd128", "w", "ours", 21.0, 10),
            measured("wasip1 simd128", "w", "loop 1", 20.0, 4000),
            measured("wasip1 simd128", "w", "loop 2", 30.0, 0),
        ];
        let goal = |against, limit, on| Goal { ours: "ours", against, limit, on, why: "" };
        let native = goal(super::Against::Native, Limit::Times(2.0), On::Simd);
        assert_eq!(verdicts(&all, &native)[2], Verdict::Missed(2.1));
        let fastest = goal(super::Against::Fastest("loop"), Limit::Times(1.1), On::Simd);
        assert_eq!(verdicts(&all, &fastest)[2], Verdict::Met(1.05));
        let bytes = goal(super::Against::Way("loop 1"), Limit::FewerBytes(400.0), On::Simd);
        assert_eq!(verdicts(&all, &bytes)[2], Verdict::Met(400.0));
    }

    #[test]
    fn most_is_more_than_half() {
        let names = ["a", "b", "c", "d"];
        let times = [1.0, 2.0, 3.0, 4.0];
        let pairs = names.into_iter().zip(times);
        let all: Vec<_> = pairs
            .flat_map(|(name, time)| {
                [measured("native", name, "ours", 1.0, 0), measured("native", name, "theirs", time, 0)]
            })
            .collect();
        let workloads = names.map(workload);
        let members: Vec<_> = workloads.iter().collect();
        let goal = |least| Goal::new("theirs", Limit::Faster(least), On::Native);
        assert_eq!(middle(&all, &members, &goal(2.0), "native"), Verdict::Met(2.0));
        assert_eq!(middle(&all, &members, &goal(3.0), "native"), Verdict::Missed(2.0));
        assert_eq!(middle(&all, &members, &goal(3.0), "wasip1"), Verdict::NoGoal);
    }
}
