//! What a playbook that asks must show before it may act unasked: the bar that `shutter promote` measures it by.
//!
//! Not a rule of any decision: nothing is promoted by itself.

use std::fmt;

use crate::time::Span;

/// A share of cases, in tenths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// `95%`, `99.5%`, `0%`; none where it is no share.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('%')?.trim_end();
        let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(tenths) || tenths.len() != 1 {
            return None;
        }
        let share = whole.parse::<u16>().ok()?.checked_mul(10)?.checked_add(tenths.parse().ok()?)?;
        (share <= 1_000).then_some(Self(share))
    }

    /// Whether `part` of `all` is at least this share; nothing of nothing is all of it.
    pub fn is_reached(self, part: u64, all: u64) -> bool {
        u128::from(part) * 1_000 >= u128::from(self.0) * u128::from(all)
    }

    /// Whether `part` of `all` is at most this share.
    pub fn is_kept(self, part: u64, all: u64) -> bool {
        u128::from(part) * 1_000 <= u128::from(self.0) * u128::from(all)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 10 {
            0 => write!(f, "{}%", self.0 / 10),
            tenth => write!(f, "{}.{tenth}%", self.0 / 10),
        }
    }
}

/// The bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Cases of so long count.
    pub within: Span,
    /// So many cases must have been answered.
    pub cases: u32,
    /// Of the cases that were asked about, the share that was approved as asked, at the first question.
    pub approved_unchanged: Option<Share>,
    /// Of what was done and looked at, the share where the first look found the risk gone.
    pub verified_first_time: Option<Share>,
    /// Of what was done, the most that may have been taken back because what depends on it suffered.
    pub rolled_back: Option<Share>,
    /// Of the closed cases, the most that may have come back.
    pub recurred: Option<Share>,
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn shares_are_read_compared_and_written() {
        let share = |text| Share::parse(text).expect(text);
        assert!(share("95%").is_reached(19, 20) && !share("95%").is_reached(18, 20));
        assert!(share("0%").is_kept(0, 20) && !share("0%").is_kept(1, 20));
        assert!(share("99.5%").is_reached(199, 200) && !share("99.5%").is_reached(198, 200));
        assert_eq!((share("99.5%").to_string(), share("2 %").to_string()), ("99.5%".to_owned(), "2%".to_owned()));
        for bad in ["95", "101%", "-1%", "1.25%", "%", "a%", "1.%"] {
            assert_eq!(Share::parse(bad), None, "{bad}");
        }
    }
}
