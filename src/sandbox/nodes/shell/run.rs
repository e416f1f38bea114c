//! Programs, lists, pipelines, compound commands.

use std::sync::Arc;

use brush_parser::ast;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{mpsc, watch};

use super::expand::Splitting;
use super::{DEPTH, Outcome, Shell, Stop, Variable, parse, pattern};
use crate::sandbox::nodes::stream::{Sink, Source};

impl Shell {
    /// Runs a whole script to its exit code.
    pub(crate) async fn script(&mut self, text: &str) -> i32 {
        let mut code = match self.source(text).await {
            Ok(code) | Err(Stop::Exit(code) | Stop::Return(code)) => code,
            Err(Stop::Break(_) | Stop::Continue(_)) => 0,
        };
        if let Some(trap) = self.exit_trap.take() {
            self.last = code;
            if let Err(Stop::Exit(changed)) = self.source(&trap).await {
                code = changed;
            }
        }
        code & 0xff
    }

    /// Runs text in this shell, as `eval` and `.` do.
    pub(super) async fn source(&mut self, text: &str) -> Outcome {
        match parse::program(text) {
            Ok(program) => {
                let mut code = 0;
                for list in &program.complete_commands {
                    code = self.list(list).await?;
                }
                Ok(code)
            }
            Err(problem) => {
                self.complain(&problem).await;
                Ok(2)
            }
        }
    }

    /// One level deeper; too deep ends the script.
    async fn deeper(&mut self) -> Result<(), Stop> {
        if self.depth >= DEPTH {
            self.complain("maximum nesting level exceeded on this sandbox node").await;
            return Err(Stop::Exit(2));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn list<'a>(&'a mut self, list: &'a ast::CompoundList) -> BoxFuture<'a, Outcome> {
        async move {
            self.deeper().await?;
            let mut code = 0;
            for ast::CompoundListItem(and_or, separator) in &list.0 {
                let ran = match separator {
                    ast::SeparatorOperator::Sequence => self.and_or(and_or).await,
                    ast::SeparatorOperator::Async => self.background(and_or).await,
                };
                match ran {
                    Ok(status) => code = status,
                    Err(stop) => {
                        self.depth -= 1;
                        return Err(stop);
                    }
                }
            }
            self.depth -= 1;
            Ok(code)
        }
        .boxed()
    }

    async fn and_or(&mut self, and_or: &ast::AndOrList) -> Outcome {
        let mut left = &and_or.first;
        let mut code = 0;
        let mut decisive = true;
        for at in 0..=and_or.additional.len() {
            let next = and_or.additional.get(at);
            if decisive {
                let last = next.is_none();
                code = self.pipeline(left, !last).await?;
                self.last = code;
                if last && code != 0 && self.flags.errexit && self.tested == 0 && !left.bang {
                    return Err(Stop::Exit(code));
                }
            }
            match next {
                Some(ast::AndOr::And(pipeline)) => {
                    decisive = code == 0;
                    left = pipeline;
                }
                Some(ast::AndOr::Or(pipeline)) => {
                    decisive = code != 0;
                    left = pipeline;
                }
                None => {}
            }
        }
        Ok(code)
    }

    async fn background(&mut self, and_or: &ast::AndOrList) -> Outcome {
        self.step().await?;
        let mut child = self.subshell().await?;
        child.streams.input = Source::empty();
        let and_or = and_or.clone();
        let (done, code) = watch::channel(None);
        let entered = self.machine.enter(self.pid, &self.user, &and_or.to_string(), &self.group);
        let pid = entered.pid;
        child.pid = pid;
        self.group.spawn(async move {
            let code = match entered.token.run_until_cancelled(child.and_or(&and_or)).await {
                Some(Ok(code) | Err(Stop::Exit(code) | Stop::Return(code))) => code,
                Some(Err(_)) => 0,
                None => 143,
            };
            drop(entered);
            let _ = done.send(Some(code));
            code
        });
        self.jobs.push((pid, code));
        self.last = 0;
        Ok(0)
    }

    /// A copy of the shell as a child process has it. Too many of them, or too much to copy, ends the script.
    pub(super) async fn subshell(&self) -> Result<Shell, Stop> {
        let values = self.variables.values().flat_map(|variable| &variable.values).chain(&self.positional);
        let bytes: usize = values.map(String::len).sum();
        let seat = self.group.seat();
        if seat.is_none() || !self.group.charge_steps(bytes as u64 / 64) {
            self.complain("fork: retry: Resource temporarily unavailable").await;
            return Err(Stop::Exit(254));
        }
        let mut child = self.clone();
        child.seat = seat.map(Arc::new);
        child.pid = self.machine.next_pid();
        child.jobs.clear();
        child.exit_trap = None;
        Ok(child)
    }

    async fn pipeline(&mut self, pipeline: &ast::Pipeline, tested: bool) -> Outcome {
        self.step().await?;
        if tested || pipeline.bang {
            self.tested += 1;
        }
        let ran = match pipeline.seq.as_slice() {
            [single] => self.command(single).await,
            stages => self.stages(stages).await,
        };
        if tested || pipeline.bang {
            self.tested -= 1;
        }
        let code = ran?;
        Ok(if pipeline.bang { i32::from(code == 0) } else { code })
    }

    async fn stages(&mut self, stages: &[ast::Command]) -> Outcome {
        let mut input = Some(self.streams.input.clone());
        let mut running: Vec<BoxFuture<'_, i32>> = Vec::new();
        for (at, stage) in stages.iter().enumerate() {
            let mut child = self.subshell().await?;
            if let Some(input) = input.take() {
                child.streams.input = input;
            }
            if at + 1 < stages.len() {
                let (sender, receiver) = mpsc::channel(16);
                child.streams.out = Sink::Pipe(sender);
                input = Some(Source::pipe(receiver));
            }
            running.push(
                async move {
                    // The child is dropped at its end: that closes its side of both pipes.
                    let mut child = child;
                    match child.command(stage).await {
                        Ok(code) | Err(Stop::Exit(code) | Stop::Return(code)) => code,
                        Err(_) => 0,
                    }
                }
                .boxed(),
            );
        }
        let codes = join_all(running).await;
        let last = codes.last().copied().unwrap_or(0);
        if self.flags.pipefail {
            return Ok(codes.iter().rev().copied().find(|code| *code != 0).unwrap_or(0));
        }
        Ok(last)
    }

    fn command<'a>(&'a mut self, command: &'a ast::Command) -> BoxFuture<'a, Outcome> {
        match command {
            ast::Command::Simple(simple) => self.simple(simple).boxed(),
            ast::Command::Compound(compound, redirects) => self.redirected(compound, redirects.as_ref()).boxed(),
            ast::Command::Function(definition) => async move {
                self.functions.insert(definition.fname.value.clone(), Arc::new(definition.body.clone()));
                Ok(0)
            }
            .boxed(),
            ast::Command::ExtendedTest(test, redirects) => async move {
                let before = self.streams.clone();
                let code = match self.redirect_all(redirects.as_ref()).await? {
                    Some(code) => code,
                    None => self.extended_test(&test.expr).await?,
                };
                self.streams = before;
                Ok(code)
            }
            .boxed(),
        }
    }

    pub(super) async fn redirected(
        &mut self,
        compound: &ast::CompoundCommand,
        redirects: Option<&ast::RedirectList>,
    ) -> Outcome {
        let before = self.streams.clone();
        let ran = match self.redirect_all(redirects).await {
            Ok(None) => self.compound(compound).await,
            Ok(Some(code)) => Ok(code),
            Err(stop) => Err(stop),
        };
        self.streams = before;
        ran
    }

    async fn compound(&mut self, compound: &ast::CompoundCommand) -> Outcome {
        match compound {
            ast::CompoundCommand::BraceGroup(group) => self.list(&group.list).await,
            ast::CompoundCommand::Subshell(subshell) => {
                let mut child = self.subshell().await?;
                match child.list(&subshell.list).await {
                    Ok(code) | Err(Stop::Exit(code) | Stop::Return(code)) => Ok(code),
                    Err(_) => Ok(0),
                }
            }
            ast::CompoundCommand::IfClause(clause) => self.if_clause(clause).await,
            ast::CompoundCommand::ForClause(clause) => {
                let words = match &clause.values {
                    Some(values) => self.fields_of(values.iter()).await?,
                    None => self.positional.clone(),
                };
                let mut code = 0;
                for word in words {
                    self.assign(&clause.variable_name, word).await?;
                    match self.turn(&clause.body.list).await? {
                        Turn::Next(status) => code = status,
                        Turn::Leave(status) => return Ok(status),
                    }
                }
                Ok(code)
            }
            ast::CompoundCommand::WhileClause(clause) => self.while_clause(clause, true).await,
            ast::CompoundCommand::UntilClause(clause) => self.while_clause(clause, false).await,
            ast::CompoundCommand::CaseClause(clause) => self.case_clause(clause).await,
            ast::CompoundCommand::Arithmetic(command) => match self.calculated(&command.expr.value).await? {
                Some(value) => Ok(i32::from(value == 0)),
                None => Ok(1),
            },
            ast::CompoundCommand::ArithmeticForClause(clause) => self.arithmetic_for(clause).await,
            ast::CompoundCommand::Coprocess(_) => {
                self.complain("coproc: not available on this sandbox node").await;
                Ok(1)
            }
        }
    }

    /// One turn of a loop's body.
    async fn turn(&mut self, body: &ast::CompoundList) -> Result<Turn, Stop> {
        self.step().await?;
        self.loops += 1;
        let ran = self.list(body).await;
        self.loops -= 1;
        match ran {
            Ok(code) => Ok(Turn::Next(code)),
            Err(Stop::Break(levels)) if levels > 1 && self.loops > 0 => Err(Stop::Break(levels - 1)),
            Err(Stop::Break(_)) => Ok(Turn::Leave(0)),
            Err(Stop::Continue(levels)) if levels > 1 && self.loops > 0 => Err(Stop::Continue(levels - 1)),
            Err(Stop::Continue(_)) => Ok(Turn::Next(0)),
            Err(stop) => Err(stop),
        }
    }

    /// Runs a list whose failure is only looked at.
    async fn asked(&mut self, condition: &ast::CompoundList) -> Result<bool, Stop> {
        self.tested += 1;
        let code = self.list(condition).await;
        self.tested -= 1;
        Ok(code? == 0)
    }

    async fn if_clause(&mut self, clause: &ast::IfClauseCommand) -> Outcome {
        if self.asked(&clause.condition).await? {
            return self.list(&clause.then).await;
        }
        for branch in clause.elses.iter().flatten() {
            let taken = match &branch.condition {
                Some(condition) => self.asked(condition).await?,
                None => true,
            };
            if taken {
                return self.list(&branch.body).await;
            }
        }
        Ok(0)
    }

    async fn while_clause(&mut self, clause: &ast::WhileOrUntilClauseCommand, wanted: bool) -> Outcome {
        let mut code = 0;
        while self.asked(&clause.0).await? == wanted {
            match self.turn(&clause.1.list).await? {
                Turn::Next(status) => code = status,
                Turn::Leave(status) => return Ok(status),
            }
        }
        Ok(code)
    }

    async fn arithmetic_for(&mut self, clause: &ast::ArithmeticForClauseCommand) -> Outcome {
        if let Some(initializer) = &clause.initializer {
            self.calculated(&initializer.value).await?;
        }
        let mut code = 0;
        loop {
            if let Some(condition) = &clause.condition
                && !condition.value.trim().is_empty()
                && self.calculated(&condition.value).await?.unwrap_or(0) == 0
            {
                return Ok(code);
            }
            match self.turn(&clause.body.list).await? {
                Turn::Next(status) => code = status,
                Turn::Leave(status) => return Ok(status),
            }
            if let Some(updater) = &clause.updater {
                self.calculated(&updater.value).await?;
            }
        }
    }

    async fn case_clause(&mut self, clause: &ast::CaseClauseCommand) -> Outcome {
        let value = self.text_of(&clause.value.value).await?;
        let mut code = 0;
        let mut fall_through = false;
        for case in &clause.cases {
            let mut fits = fall_through;
            for word in &case.patterns {
                if !fits {
                    fits = pattern::matches(&self.pattern_of(&word.value).await?, &value);
                }
            }
            if !fits {
                continue;
            }
            if let Some(body) = &case.cmd {
                code = self.list(body).await?;
            }
            match case.post_action {
                ast::CaseItemPostAction::ExitCase => return Ok(code),
                ast::CaseItemPostAction::UnconditionallyExecuteNextCaseItem => fall_through = true,
                ast::CaseItemPostAction::ContinueEvaluatingCases => fall_through = false,
            }
        }
        Ok(code)
    }

    // Simple commands.

    async fn simple(&mut self, simple: &ast::SimpleCommand) -> Outcome {
        let before = self.streams.clone();
        let ran = self.simple_redirected(simple).await;
        // `exec` without a command changes the shell's own streams for good.
        let bare_exec = matches!(&simple.word_or_name, Some(word) if word.value == "exec");
        let has_words = simple
            .suffix
            .iter()
            .flat_map(|suffix| &suffix.0)
            .any(|item| !matches!(item, ast::CommandPrefixOrSuffixItem::IoRedirect(_)));
        if !bare_exec || has_words {
            self.streams = before;
        }
        ran
    }

    async fn simple_redirected(&mut self, simple: &ast::SimpleCommand) -> Outcome {
        use ast::CommandPrefixOrSuffixItem as Item;
        let mut words = Vec::new();
        let mut assignments = Vec::new();
        self.substituted = 0;
        if let Some(word) = &simple.word_or_name {
            words = self.fields_of([word]).await?;
        }
        let declares =
            matches!(words.first().map(String::as_str), Some("export" | "local" | "declare" | "typeset" | "readonly"));
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::Word(word) => words.extend(self.fields_of([word]).await?),
                Item::AssignmentWord(assignment, word) => {
                    if declares && let ast::AssignmentValue::Scalar(value) = &assignment.value {
                        let value = self.text_of(&value.value).await?;
                        words.push(format!("{}={value}", assignment.name));
                    } else {
                        words.extend(self.fields_of([word]).await?);
                    }
                }
                Item::IoRedirect(_) | Item::ProcessSubstitution(..) => {}
            }
        }
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                Item::IoRedirect(redirect) => {
                    if let Some(code) = self.redirect(redirect).await? {
                        return Ok(code);
                    }
                }
                Item::AssignmentWord(assignment, _) => assignments.push(assignment),
                Item::ProcessSubstitution(..) | Item::Word(_) => {}
            }
        }
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::IoRedirect(redirect) => {
                    if let Some(code) = self.redirect(redirect).await? {
                        return Ok(code);
                    }
                }
                Item::ProcessSubstitution(..) => {
                    self.complain("process substitution is not available on this sandbox node").await;
                    return Ok(1);
                }
                Item::AssignmentWord(..) | Item::Word(_) => {}
            }
        }
        if self.flags.xtrace && !words.is_empty() {
            let _ = self.streams.err.write(format!("+ {}\n", words.join(" "))).await;
        }
        if words.is_empty() {
            for assignment in assignments {
                self.assignment(assignment).await?;
            }
            return Ok(self.substituted);
        }
        // Assignments before a command hold for that command only.
        let mut saved: Vec<(String, Option<Variable>)> = Vec::new();
        for assignment in assignments {
            if let ast::AssignmentName::VariableName(name) = &assignment.name {
                saved.push((name.clone(), self.variables.get(name).cloned()));
                self.assignment(assignment).await?;
                if let Some(variable) = self.variables.get_mut(name) {
                    variable.exported = true;
                }
            }
        }
        let ran = self.invoke(words).await;
        for (name, variable) in saved.into_iter().rev() {
            match variable {
                Some(variable) => self.variables.insert(name, variable),
                None => self.variables.remove(&name),
            };
        }
        ran
    }

    async fn assignment(&mut self, assignment: &ast::Assignment) -> Result<(), Stop> {
        let mut values = match &assignment.value {
            ast::AssignmentValue::Scalar(word) => vec![self.text_of(&word.value).await?],
            ast::AssignmentValue::Array(items) => {
                let mut values = Vec::new();
                for (_, word) in items {
                    values.extend(self.fields_of([word]).await?);
                }
                values
            }
        };
        match &assignment.name {
            ast::AssignmentName::VariableName(name) => {
                if assignment.append {
                    let mut held = self.values(name);
                    match (&assignment.value, held.first_mut()) {
                        (ast::AssignmentValue::Scalar(_), Some(first)) => {
                            first.push_str(&values.remove(0));
                            values = held;
                        }
                        _ => {
                            held.append(&mut values);
                            values = held;
                        }
                    }
                }
                self.assign_values(name, values).await
            }
            ast::AssignmentName::ArrayElementName(name, index) => {
                let index = self.text_of(index).await?;
                let at = self.calculate(&index).ok().and_then(|at| usize::try_from(at).ok());
                let Some(at) = at.filter(|at| *at < 10_000) else {
                    self.complain(&format!("{name}: bad array subscript")).await;
                    return Err(Stop::Exit(1));
                };
                let mut held = self.values(name);
                if held.len() <= at {
                    held.resize(at + 1, String::new());
                }
                let value = values.into_iter().next().unwrap_or_default();
                held[at] = if assignment.append { format!("{}{value}", held[at]) } else { value };
                self.assign_values(name, held).await
            }
        }
    }

    /// Runs a function, a builtin or a tool.
    pub(super) fn invoke(&mut self, words: Vec<String>) -> BoxFuture<'_, Outcome> {
        async move {
            self.deeper().await?;
            let ran = self.invoke_deeper(words).await;
            self.depth -= 1;
            ran
        }
        .boxed()
    }

    async fn invoke_deeper(&mut self, words: Vec<String>) -> Outcome {
        let Some((name, arguments)) = words.split_first() else { return Ok(0) };
        if let Some(body) = self.functions.get(name).cloned() {
            return self.call(&body, arguments).await;
        }
        if let Some(ran) = self.builtin(name, arguments).await {
            return ran;
        }
        let plain = ["/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"]
            .iter()
            .find_map(|directory| name.strip_prefix(directory))
            .unwrap_or(name);
        if let Some(ran) = self.launch(plain, arguments).await {
            return ran;
        }
        self.tool(name, plain, arguments).await
    }

    async fn call(&mut self, body: &ast::FunctionBody, arguments: &[String]) -> Outcome {
        let positional = std::mem::replace(&mut self.positional, arguments.to_vec());
        let loops = std::mem::take(&mut self.loops);
        self.hidden.push(Default::default());
        let ran = self.redirected(&body.0, body.1.as_ref()).await;
        for (name, variable) in self.hidden.pop().unwrap_or_default() {
            match variable {
                Some(variable) => self.variables.insert(name, variable),
                None => self.variables.remove(&name),
            };
        }
        self.loops = loops;
        self.positional = positional;
        match ran {
            Err(Stop::Return(code)) => Ok(code),
            Err(Stop::Break(_) | Stop::Continue(_)) => Ok(0),
            other => other,
        }
    }

    /// The words of several words of the script.
    async fn fields_of<'a>(&mut self, words: impl IntoIterator<Item = &'a ast::Word>) -> Result<Vec<String>, Stop> {
        let mut fields = Vec::new();
        for word in words {
            fields.extend(self.expand(&word.value, Splitting::Fields).await?);
        }
        Ok(fields)
    }
}

/// How a turn of a loop ended.
enum Turn {
    Next(i32),
    Leave(i32),
}
