//! `$(( … ))`: whole numbers that wrap around.

use brush_parser::ast::{ArithmeticExpr, ArithmeticTarget, BinaryOperator, UnaryAssignmentOperator, UnaryOperator};

use super::{Shell, parse};

/// Characters that an expression may have, and levels of variables that name variables.
const LENGTH: usize = 600;
const LEVELS: u32 = 8;

impl Shell {
    /// The value of an expression whose parameters are expanded already.
    pub(super) fn calculate(&mut self, text: &str) -> Result<i64, String> {
        self.calculate_at(text, 0)
    }

    fn calculate_at(&mut self, text: &str, level: u32) -> Result<i64, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(0);
        }
        if let Ok(number) = text.parse() {
            return Ok(number);
        }
        if text.len() > LENGTH || level > LEVELS {
            return Err(format!("{}: expression recursion level exceeded", text.chars().take(40).collect::<String>()));
        }
        let expression = parse::within_stack(text, || {
            brush_parser::arithmetic::parse(text).map_err(|_| format!("{text}: syntax error: operand expected"))
        })?;
        self.evaluate(&expression, level)
    }

    fn evaluate(&mut self, expression: &ArithmeticExpr, level: u32) -> Result<i64, String> {
        Ok(match expression {
            ArithmeticExpr::Literal(number) => *number,
            ArithmeticExpr::Reference(target) => self.look_up(target, level)?,
            ArithmeticExpr::UnaryOp(operator, inner) => {
                let value = self.evaluate(inner, level)?;
                match operator {
                    UnaryOperator::UnaryPlus => value,
                    UnaryOperator::UnaryMinus => value.wrapping_neg(),
                    UnaryOperator::BitwiseNot => !value,
                    UnaryOperator::LogicalNot => i64::from(value == 0),
                }
            }
            ArithmeticExpr::BinaryOp(operator, left, right) => {
                let left = self.evaluate(left, level)?;
                match operator {
                    BinaryOperator::LogicalAnd if left == 0 => 0,
                    BinaryOperator::LogicalOr if left != 0 => 1,
                    operator => {
                        let right = self.evaluate(right, level)?;
                        apply(*operator, left, right)?
                    }
                }
            }
            ArithmeticExpr::Conditional(condition, yes, no) => {
                let chosen = if self.evaluate(condition, level)? != 0 { yes } else { no };
                self.evaluate(chosen, level)?
            }
            ArithmeticExpr::Assignment(target, value) => {
                let value = self.evaluate(value, level)?;
                self.put(target, value, level)?
            }
            ArithmeticExpr::BinaryAssignment(operator, target, value) => {
                let left = self.look_up(target, level)?;
                let right = self.evaluate(value, level)?;
                let value = apply(*operator, left, right)?;
                self.put(target, value, level)?
            }
            ArithmeticExpr::UnaryAssignment(operator, target) => {
                let before = self.look_up(target, level)?;
                let (after, value) = match operator {
                    UnaryAssignmentOperator::PrefixIncrement => (before.wrapping_add(1), before.wrapping_add(1)),
                    UnaryAssignmentOperator::PrefixDecrement => (before.wrapping_sub(1), before.wrapping_sub(1)),
                    UnaryAssignmentOperator::PostfixIncrement => (before.wrapping_add(1), before),
                    UnaryAssignmentOperator::PostfixDecrement => (before.wrapping_sub(1), before),
                };
                self.put(target, after, level)?;
                value
            }
        })
    }

    fn look_up(&mut self, target: &ArithmeticTarget, level: u32) -> Result<i64, String> {
        let text = match target {
            ArithmeticTarget::Variable(name) => self.value(name).unwrap_or_default(),
            ArithmeticTarget::ArrayElement(name, index) => {
                let index = self.evaluate(index, level)?;
                usize::try_from(index).ok().and_then(|at| self.values(name).get(at).cloned()).unwrap_or_default()
            }
        };
        self.calculate_at(&text, level + 1)
    }

    fn put(&mut self, target: &ArithmeticTarget, value: i64, level: u32) -> Result<i64, String> {
        let (name, at) = match target {
            ArithmeticTarget::Variable(name) => (name, 0),
            ArithmeticTarget::ArrayElement(name, index) => (name, self.evaluate(index, level)?),
        };
        let at =
            usize::try_from(at).ok().filter(|at| *at < 10_000).ok_or_else(|| format!("{name}: bad array subscript"))?;
        let variable = self.variables.entry(name.clone()).or_default();
        if variable.read_only {
            return Err(format!("{name}: readonly variable"));
        }
        if variable.values.len() <= at {
            variable.values.resize(at + 1, String::new());
        }
        variable.values[at] = value.to_string();
        Ok(value)
    }
}

fn apply(operator: BinaryOperator, left: i64, right: i64) -> Result<i64, String> {
    Ok(match operator {
        BinaryOperator::Power => {
            left.wrapping_pow(u32::try_from(right).map_err(|_| "exponent less than 0".to_owned())?)
        }
        BinaryOperator::Multiply => left.wrapping_mul(right),
        BinaryOperator::Divide if right == 0 => return Err("division by 0".to_owned()),
        BinaryOperator::Modulo if right == 0 => return Err("division by 0".to_owned()),
        BinaryOperator::Divide => left.wrapping_div(right),
        BinaryOperator::Modulo => left.wrapping_rem(right),
        BinaryOperator::Comma => right,
        BinaryOperator::Add => left.wrapping_add(right),
        BinaryOperator::Subtract => left.wrapping_sub(right),
        BinaryOperator::ShiftLeft => left.wrapping_shl(right as u32),
        BinaryOperator::ShiftRight => left.wrapping_shr(right as u32),
        BinaryOperator::LessThan => i64::from(left < right),
        BinaryOperator::LessThanOrEqualTo => i64::from(left <= right),
        BinaryOperator::GreaterThan => i64::from(left > right),
        BinaryOperator::GreaterThanOrEqualTo => i64::from(left >= right),
        BinaryOperator::Equals => i64::from(left == right),
        BinaryOperator::NotEquals => i64::from(left != right),
        BinaryOperator::BitwiseAnd => left & right,
        BinaryOperator::BitwiseXor => left ^ right,
        BinaryOperator::BitwiseOr => left | right,
        BinaryOperator::LogicalAnd => i64::from(left != 0 && right != 0),
        BinaryOperator::LogicalOr => i64::from(left != 0 || right != 0),
    })
}
