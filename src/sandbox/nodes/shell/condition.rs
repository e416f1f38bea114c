//! `test`, `[` and `[[ … ]]`.

use brush_parser::ast::{BinaryPredicate as Binary, ExtendedTestExpr, TestExpr, UnaryPredicate as Unary};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Outcome, Shell, Stop, pattern};
use crate::sandbox::nodes::filesystem::absolute;

impl Shell {
    /// `test` and `[`: the arguments without the closing bracket.
    pub(super) async fn test(&mut self, arguments: &[String]) -> i32 {
        if arguments.len() > 64 {
            self.complain("test: too many arguments").await;
            return 2;
        }
        let parsed =
            std::panic::catch_unwind(|| brush_parser::test_command::parse(arguments)).ok().and_then(Result::ok);
        let verdict = match &parsed {
            Some(expression) => self.holds(expression),
            None => Err("too many arguments".to_owned()),
        };
        match verdict {
            Ok(holds) => i32::from(!holds),
            Err(problem) => {
                self.complain(&format!("test: {problem}")).await;
                2
            }
        }
    }

    fn holds(&mut self, expression: &TestExpr) -> Result<bool, String> {
        match expression {
            TestExpr::False => Ok(false),
            TestExpr::Literal(text) => Ok(!text.is_empty()),
            TestExpr::And(left, right) => Ok(self.holds(left)? && self.holds(right)?),
            TestExpr::Or(left, right) => Ok(self.holds(left)? || self.holds(right)?),
            TestExpr::Not(inner) => Ok(!self.holds(inner)?),
            TestExpr::Parenthesized(inner) => self.holds(inner),
            TestExpr::UnaryTest(predicate, operand) => Ok(self.unary(predicate, operand)),
            TestExpr::BinaryTest(predicate, left, right) => {
                let number =
                    |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{text}: integer expression expected"));
                match predicate {
                    Binary::ArithmeticEqualTo => Ok(number(left)? == number(right)?),
                    Binary::ArithmeticNotEqualTo => Ok(number(left)? != number(right)?),
                    Binary::ArithmeticLessThan => Ok(number(left)? < number(right)?),
                    Binary::ArithmeticLessThanOrEqualTo => Ok(number(left)? <= number(right)?),
                    Binary::ArithmeticGreaterThan => Ok(number(left)? > number(right)?),
                    Binary::ArithmeticGreaterThanOrEqualTo => Ok(number(left)? >= number(right)?),
                    other => Ok(self.compare_text(other, left, right)),
                }
            }
        }
    }

    fn compare_text(&self, predicate: &Binary, left: &str, right: &str) -> bool {
        match predicate {
            Binary::StringExactlyMatchesString => left == right,
            Binary::StringDoesNotExactlyMatchString => left != right,
            Binary::StringContainsSubstring => left.contains(right),
            Binary::LeftSortsBeforeRight => left < right,
            Binary::LeftSortsAfterRight => left > right,
            Binary::FilesReferToSameDeviceAndInodeNumbers => {
                absolute(&self.directory, left) == absolute(&self.directory, right)
            }
            _ => false,
        }
    }

    fn unary(&self, predicate: &Unary, operand: &str) -> bool {
        let path = absolute(&self.directory, operand);
        let (exists, directory, size) = self
            .machine
            .files(|files| (files.exists(&path), files.is_directory(&path), files.size(&path).unwrap_or(0)));
        match predicate {
            Unary::StringHasZeroLength => operand.is_empty(),
            Unary::StringHasNonZeroLength => !operand.is_empty(),
            Unary::ShellVariableIsSetAndAssigned => self.variables.contains_key(operand),
            Unary::ShellOptionEnabled => operand == "errexit" && self.flags.errexit,
            Unary::FileExists | Unary::FileExistsAndIsReadable => exists,
            Unary::FileExistsAndIsDir => directory,
            Unary::FileExistsAndIsRegularFile => exists && !directory && path != "/dev/null",
            Unary::FileExistsAndIsNotZeroLength => exists && size > 0,
            Unary::FileExistsAndIsWritable => exists,
            Unary::FileExistsAndIsExecutable => directory || path.contains("/bin/"),
            Unary::FileExistsAndIsCharSpecialFile => path == "/dev/null",
            Unary::FileExistsAndOwnedByEffectiveUserId => exists && self.user == "root",
            _ => false,
        }
    }

    pub(super) async fn extended_test(&mut self, expression: &ExtendedTestExpr) -> Outcome {
        Ok(i32::from(!self.extended_holds(expression).await?))
    }

    fn extended_holds<'a>(&'a mut self, expression: &'a ExtendedTestExpr) -> BoxFuture<'a, Result<bool, Stop>> {
        async move {
            match expression {
                ExtendedTestExpr::And(left, right) => {
                    Ok(self.extended_holds(left).await? && self.extended_holds(right).await?)
                }
                ExtendedTestExpr::Or(left, right) => {
                    Ok(self.extended_holds(left).await? || self.extended_holds(right).await?)
                }
                ExtendedTestExpr::Not(inner) => Ok(!self.extended_holds(inner).await?),
                ExtendedTestExpr::Parenthesized(inner) => self.extended_holds(inner).await,
                ExtendedTestExpr::UnaryTest(predicate, word) => {
                    let operand = self.text_of(&word.value).await?;
                    Ok(self.unary(predicate, &operand))
                }
                ExtendedTestExpr::BinaryTest(predicate, left, right) => {
                    let left = self.text_of(&left.value).await?;
                    self.extended_binary(predicate, &left, &right.value).await
                }
            }
        }
        .boxed()
    }

    async fn extended_binary(&mut self, predicate: &Binary, left: &str, right: &str) -> Result<bool, Stop> {
        let number = match predicate {
            Binary::StringExactlyMatchesPattern => return Ok(pattern::matches(&self.pattern_of(right).await?, left)),
            Binary::StringDoesNotExactlyMatchPattern => {
                return Ok(!pattern::matches(&self.pattern_of(right).await?, left));
            }
            Binary::StringMatchesRegex => {
                let text = self.text_of(right).await?;
                let built = regex::RegexBuilder::new(&text).size_limit(1 << 20).build();
                return match built {
                    Ok(regex) => {
                        let found = regex.captures(left);
                        let values = found.iter().flat_map(|found| {
                            found.iter().map(|part| part.map(|part| part.as_str().to_owned()).unwrap_or_default())
                        });
                        let values: Vec<String> = values.collect();
                        let fits = !values.is_empty();
                        self.assign_values("BASH_REMATCH", values).await?;
                        Ok(fits)
                    }
                    Err(_) => Ok(false),
                };
            }
            Binary::ArithmeticEqualTo
            | Binary::ArithmeticNotEqualTo
            | Binary::ArithmeticLessThan
            | Binary::ArithmeticLessThanOrEqualTo
            | Binary::ArithmeticGreaterThan
            | Binary::ArithmeticGreaterThanOrEqualTo => true,
            _ => false,
        };
        let right = self.text_of(right).await?;
        if !number {
            return Ok(self.compare_text(predicate, left, &right));
        }
        let (left, right) = (self.calculated(left).await?, self.calculated(&right).await?);
        let (Some(left), Some(right)) = (left, right) else { return Ok(false) };
        Ok(match predicate {
            Binary::ArithmeticEqualTo => left == right,
            Binary::ArithmeticNotEqualTo => left != right,
            Binary::ArithmeticLessThan => left < right,
            Binary::ArithmeticLessThanOrEqualTo => left <= right,
            Binary::ArithmeticGreaterThan => left > right,
            _ => left >= right,
        })
    }
}
