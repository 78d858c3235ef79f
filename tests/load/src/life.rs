//! A function's life: started behind a Runtime API and a DynamoDB of its own, sent its requests one after the other,
//! and ended. What it took is read from the system.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use axum::body::Bytes;
use punchcard::embedded::TABLE_PREFIX;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    case::{Case, PLAIN, Program, Work},
    certificate::Certificate,
    endpoint::{Answers, Endpoint, Seen},
    runtime::Runtime,
    signature::{ACCESS_KEY, REGION, SECRET_KEY},
    world::World,
};

/// The way of a function to DynamoDB, and the source of the answers there.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub answers: Answers,
    pub certificate: Option<&'a Certificate>,
}

/// The figures of one life. CPU time is that of the function's process alone.
#[derive(Debug, Default)]
pub struct Life {
    pub init: Cost,
    pub first: Cost,
    /// Of each request after the first and those that only warm it up.
    pub warm_cpu: Duration,
    pub warm_walls: Vec<Duration>,
    /// The calls of the last request.
    pub seen: Seen,
    /// Connections that were opened during the first request.
    pub opened: usize,
    /// The most memory that it had, in bytes.
    pub peak_memory: u64,
}

/// The cost of a step.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
}

/// Requests of a life after its first.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Not counted.
    pub warm_up: usize,
    /// Counted.
    pub counted: usize,
}

/// Lets a function live.
///
/// # Errors
/// It didn't answer as it has to, or didn't call the store as it has to.
pub async fn live(
    case: &Case,
    binary: &Path,
    world: &Arc<World>,
    setting: Setting<'_>,
    length: Length,
) -> Result<Life> {
    let requests = case.requests(1 + length.warm_up + length.counted, world)?;
    let mut function = Function::start(Command::new(binary), case, world, setting).await?;
    let mut life = Life { init: function.init, ..Life::default() };
    let mut before = Duration::ZERO;
    for (number, request) in requests.into_iter().enumerate() {
        if number == 0 || number == 1 + length.warm_up {
            before = function.cpu().await?;
        }
        let connections = function.endpoint.connections();
        let (wall, seen) = function.invoke(case, request).await?;
        life.seen = seen;
        if number == 0 {
            life.first = Cost { wall, cpu: function.cpu().await?.saturating_sub(before) };
            life.opened = function.endpoint.connections() - connections;
        } else if number > length.warm_up {
            life.warm_walls.push(wall);
        }
    }
    if length.counted > 0 {
        life.warm_cpu = function.cpu().await?.saturating_sub(before) / u32::try_from(length.counted)?;
    }
    life.peak_memory = function.peak_memory()?;
    Ok(life)
}

/// Sends one request, which is not measured.
///
/// # Errors
/// The function couldn't be started or reached.
pub async fn prepare(case: &Case, binary: &Path, world: &Arc<World>, setting: Setting<'_>) -> Result<()> {
    let Some(request) = case.before(world)? else { return Ok(()) };
    let mut function = Function::start(Command::new(binary), case, world, setting).await?;
    function.runtime.invoke(request).await?;
    Ok(())
}

/// Instructions of a life of so many requests, by valgrind.
///
/// # Errors
/// As [`live`], or valgrind failed.
pub async fn instructions(case: &Case, binary: &Path, world: &Arc<World>, requests: usize, out: &Path) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "-q"]).arg(format!("--callgrind-out-file={}", out.display())).arg(binary);
    let setting = Setting { answers: Answers::AtOnce, certificate: None };
    let mut function = Function::start(valgrind, case, world, setting).await?;
    for request in case.requests(requests, world)? {
        function.invoke(case, request).await?;
    }
    function.end().await?;
    let text = fs::read_to_string(out).context("valgrind wrote nothing")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    Ok(total.context("valgrind counted nothing")?.trim().parse()?)
}

/// A running function.
struct Function {
    process: Child,
    runtime: Runtime,
    endpoint: Endpoint,
    init: Cost,
}

impl Function {
    async fn start(mut command: Command, case: &Case, world: &Arc<World>, setting: Setting<'_>) -> Result<Self> {
        let mut runtime = Runtime::start().await?;
        let together = case.calls.iter().find(|(operation, _)| *operation == "BatchExecuteStatement");
        let together = together.map_or(1, |(_, calls)| *calls);
        let tls = setting.certificate.map(|certificate| certificate.acceptor.clone());
        let endpoint = Endpoint::start(world.clone(), setting.answers, tls, together).await?;
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &runtime.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", case.program.name())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("TABLE_PREFIX", TABLE_PREFIX)
            .env("DYNAMODB_ENDPOINT", &endpoint.url)
            // The SDK's own name for it, which `plain` goes by.
            .env("AWS_ENDPOINT_URL", &endpoint.url)
            .env("METRICS_NAMESPACE", "Punchcard/load")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        if let Some(write) = case.write {
            command.env("WRITE", write);
        }
        if let Some(certificate) = setting.certificate {
            let plain = case.program == PLAIN;
            command.env("SSL_CERT_FILE", if plain { &certificate.with_systems } else { &certificate.alone });
        }
        let started = Instant::now();
        let mut process = command.spawn().with_context(|| format!("{command:?}"))?;
        asked(&mut process, &mut runtime).await?;
        let wall = started.elapsed();
        let mut function = Function { process, runtime, endpoint, init: Cost { wall, cpu: Duration::ZERO } };
        // Under valgrind this is valgrind's, which nobody asks for.
        function.init.cpu = function.cpu().await?;
        let calls = function.endpoint.seen().operations.len();
        let pages = if let Program::Function(_) = case.program { world.catalog.len() } else { 0 };
        ensure!(calls == pages || case.work == Work::Happy, "{calls} calls at the start to read {pages} pages");
        Ok(function)
    }

    /// Sends a request, checks its answer and its calls, and waits until the next may be sent.
    async fn invoke(&mut self, case: &Case, request: Bytes) -> Result<(Duration, Seen)> {
        let started = Instant::now();
        let answer = tokio::select! {
            answer = timeout(PATIENCE, self.runtime.invoke(request)) => answer.context("no answer")?,
            status = self.process.wait() => bail!("it ended: {}", status?),
        };
        let wall = started.elapsed();
        asked(&mut self.process, &mut self.runtime).await?;
        let mut seen = self.endpoint.seen();
        if let Some(wrong) = seen.wrong {
            bail!("{wrong}");
        }
        let answer = answer?;
        case.check(&answer, &seen.last)?;
        // The catalog is read again every minute; no benchmark's request is to pay for that.
        seen.operations.retain(|operation| operation != "Query");
        let mut expected: Vec<_> =
            case.calls.iter().flat_map(|(operation, calls)| vec![(*operation).to_owned(); *calls]).collect();
        let mut called = seen.operations.clone();
        expected.sort();
        called.sort();
        ensure!(called == expected || case.work == Work::Happy, "called {called:?} where {expected:?} is enough");
        Ok((wall, Seen { wrong: None, ..seen }))
    }

    /// The processor time that it had so far, all its threads'.
    async fn cpu(&self) -> Result<Duration> {
        // It has asked for the next event; in a moment it sleeps.
        sleep(Duration::from_millis(2)).await;
        let threads = fs::read_dir(format!("/proc/{}/task", self.id()?)).context("this needs Linux' /proc")?;
        let mut nanos = 0;
        for thread in threads {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += stat.split(' ').next().context("no schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(PathBuf::from(format!("/proc/{}/status", self.id()?)))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Ends it as Lambda does.
    async fn end(mut self) -> Result<()> {
        let id = Pid::from_raw(i32::try_from(self.id()?)?).context("no process")?;
        kill_process(id, Signal::TERM)?;
        timeout(PATIENCE, self.process.wait()).await.context("it doesn't end")??;
        Ok(())
    }

    fn id(&self) -> Result<u32> {
        self.process.id().context("it ended")
    }
}

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

async fn asked(process: &mut Child, runtime: &mut Runtime) -> Result<()> {
    tokio::select! {
        asked = timeout(PATIENCE, runtime.asked()) => asked.context("it doesn't ask for an event")?,
        status = process.wait() => bail!("it ended: {}", status?),
    }
}
