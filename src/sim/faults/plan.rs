//! Plans of faults: a file, or one of three presets. Nothing is struck here.

use serde::Deserialize;

use super::{Fault, Switch};

/// The switches of a run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    #[serde(default)]
    pub faults: Vec<Switch>,
}

/// The presets by name, in the order they are offered.
const PRESETS: [&str; 3] = ["none", "some", "harsh"];

const SOME: &str = include_str!("some.yaml");
const HARSH: &str = include_str!("harsh.yaml");

impl FaultPlan {
    /// A preset; nothing when there is none of that name.
    fn preset(name: &str) -> Option<Result<Self, String>> {
        match name {
            "none" => Some(Ok(Self::default())),
            "some" => Some(Self::read(SOME)),
            "harsh" => Some(Self::read(HARSH)),
            _ => None,
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// One line that says what is wrong and where.
    pub fn read(text: &str) -> Result<Self, String> {
        let plan: Self = serde_saphyr::from_str(text).map_err(|error| first_line(&error))?;
        plan.checked()
    }

    /// The same plan, once its figures are found sound.
    ///
    /// # Errors
    /// A rate that is no share, or a fault and a side that do not go together.
    pub fn checked(self) -> Result<Self, String> {
        for switch in &self.faults {
            let word = switch.fault.word();
            if !(0.0..=1.0).contains(&switch.rate) {
                return Err(format!(
                    "{word}: rate must be from 0 to 1, not {}",
                    switch.rate
                ));
            }
            if switch.burst == 0 {
                return Err(format!("{word}: burst must be 1 or more"));
            }
            if let Some(side) = switch.side
                && !switch.fault.crms().contains(&side)
            {
                return Err(format!("{word}: {side:?} has no such fault"));
            }
        }
        Ok(self)
    }

    /// Reads a body of test control.
    pub(super) fn from_control(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            #[serde(default)]
            faults: Vec<Switch>,
            preset: Option<String>,
        }
        let body: Body = serde_json::from_slice(body).map_err(|error| first_line(&error))?;
        match body.preset {
            None => Self {
                faults: body.faults,
            }
            .checked(),
            Some(name) => Self::preset(&name).unwrap_or_else(|| {
                Err(format!(
                    "there is no preset {name}; take one of {PRESETS:?}"
                ))
            }),
        }
    }

    /// A preset by its name, else the file of that name.
    ///
    /// # Errors
    /// A file that cannot be read, with the presets as a hint.
    pub fn named(name: &str) -> Result<Self, String> {
        if let Some(preset) = Self::preset(name) {
            return preset;
        }
        let text = std::fs::read_to_string(name).map_err(|error| {
            let presets = PRESETS.join(", ");
            format!("{name} is neither a preset ({presets}) nor a file that can be read: {error}")
        })?;
        Self::read(&text).map_err(|error| format!("{name}: {error}"))
    }

    /// Whether some fault of the plan may leave the outcome of a write unknown.
    pub fn loses_replies(&self) -> bool {
        self.faults.iter().any(|switch| {
            matches!(
                switch.fault,
                Fault::LostReply
                    | Fault::AppliedLate
                    | Fault::NeverApplied
                    | Fault::TimeLimit
                    | Fault::TruncatedReply
                    | Fault::HtmlReply
                    | Fault::ShortReply
            )
        })
    }
}

fn first_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_read() {
        for name in PRESETS {
            let plan = FaultPlan::preset(name).unwrap().unwrap();
            assert_eq!(plan.faults.is_empty(), name == "none", "{name}");
        }
    }

    #[test]
    fn a_fault_of_a_file_is_one_line_that_names_it() {
        for (text, part) in [
            ("faults: [{ fault: lost-replies }]", "lost-replies"),
            ("faults: [{ fault: locked, rate: 2 }]", "rate"),
            ("faults: [{ fault: locked, side: salesforce }]", "locked"),
            ("faults: [{ fault: locked, often: 2 }]", "often"),
            ("fault: locked", "fault"),
        ] {
            let told = FaultPlan::read(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}
