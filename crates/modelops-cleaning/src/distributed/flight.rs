//! A client of Arrow Flight SQL, as much of it as statements without results need.
//!
//! Answers are files that the engine writes beside the shards, so no Arrow data is decoded here: four messages of the
//! protocol and two of its calls are enough.
//!
//! **Reference**: Apache Arrow, Arrow Flight SQL, <https://arrow.apache.org/docs/format/FlightSql.html>.

use std::time::Duration;

use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::error::EngineFailure;
use crate::error::EngineError;

/// Something that runs Spark SQL over files that it shares with the shard jobs.
///
/// [`FlightSql`] is one; implement it for another way to an engine, for example a session of Apache Spark.
pub trait SqlEngine {
    /// Runs one statement to its end.
    ///
    /// # Errors
    /// [`EngineFailure`]. A statement that failed may have written part of its answer; a run looks at an answer only
    /// after success, and asks for it in a new place the next time.
    fn execute(&self, statement: &str) -> Result<(), EngineFailure>;
}

/// An engine behind Arrow Flight SQL, for example Sail.
///
/// # Example
/// ```no_run
/// use std::time::Duration;
/// use modelops_cleaning::distributed::{FlightSql, SqlEngine};
///
/// let engine = FlightSql::connect("http://127.0.0.1:32010", Duration::from_secs(600))?;
/// engine.execute("SELECT 1")?;
/// # Ok::<(), modelops_cleaning::distributed::EngineFailure>(())
/// ```
#[derive(Debug)]
pub struct FlightSql {
    runtime: Runtime,
    channel: Channel,
    statement_time: Duration,
}

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// A vanished machine sends no end of its connection: ask whether it still lives.
const ALIVE_EVERY: Duration = Duration::from_secs(20);
const ANSWER_LIMIT: usize = 64 << 20;

impl FlightSql {
    /// Connects to the engine at `address`; each statement may take `statement_time`.
    ///
    /// # Errors
    /// [`EngineFailure::Address`] or [`EngineFailure::Unreachable`].
    ///
    /// # Panics
    /// If the system refuses a thread-local event loop, as it does when a process has no file descriptor left; and, as
    /// every blocking call, when called from within a runtime of tokio.
    pub fn connect(address: &str, statement_time: Duration) -> Result<Self, EngineFailure> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("an event loop needs a file descriptor or two");
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| EngineFailure::Address {
            address: address.into(),
        })?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIME)
            .http2_keep_alive_interval(ALIVE_EVERY)
            .keep_alive_timeout(ALIVE_EVERY);
        let channel = runtime
            .block_on(endpoint.connect())
            .map_err(|_| EngineFailure::Unreachable {
                address: address.into(),
            })?;
        Ok(Self {
            runtime,
            channel,
            statement_time,
        })
    }

    async fn run(&self, statement: &str) -> Result<(), Status> {
        let command = Any {
            type_url: "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery".into(),
            value: StatementQuery {
                query: statement.into(),
            }
            .encode_to_vec(),
        };
        let descriptor = FlightDescriptor {
            kind: COMMAND,
            command: command.encode_to_vec(),
        };
        let mut client =
            tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_LIMIT);
        let ready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        client.ready().await.map_err(ready)?;
        let path = PathAndQuery::from_static("/arrow.flight.protocol.FlightService/GetFlightInfo");
        let codec = ProstCodec::<FlightDescriptor, FlightInfo>::default();
        let info = client
            .unary(Request::new(descriptor), path, codec)
            .await?
            .into_inner();
        // The engine may wait with the work until its result is fetched, so fetch all of it.
        for ticket in info.endpoints.into_iter().filter_map(|endpoint| endpoint.ticket) {
            client.ready().await.map_err(ready)?;
            let path = PathAndQuery::from_static("/arrow.flight.protocol.FlightService/DoGet");
            let codec = ProstCodec::<Ticket, FlightData>::default();
            let mut stream = client
                .server_streaming(Request::new(ticket), path, codec)
                .await?
                .into_inner();
            while stream.message().await?.is_some() {}
        }
        Ok(())
    }
}

impl SqlEngine for FlightSql {
    fn execute(&self, statement: &str) -> Result<(), EngineFailure> {
        let running = async { tokio::time::timeout(self.statement_time, self.run(statement)).await };
        match self.runtime.block_on(running) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => {
                let said = EngineError::new(&status.message());
                // What the transport itself reports has a cause; what the engine sends has none.
                let transport = std::error::Error::source(&status).is_some();
                Err(match status.code() {
                    Code::Unavailable => EngineFailure::Lost(said),
                    Code::Unknown | Code::Cancelled | Code::Internal if transport => {
                        EngineFailure::Lost(said)
                    }
                    _ => EngineFailure::Refused(said),
                })
            }
            Err(_) => Err(EngineFailure::TimedOut {
                seconds: self.statement_time.as_secs(),
            }),
        }
    }
}

/// The kind of a descriptor that holds a command.
const COMMAND: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct StatementQuery {
    #[prost(string, tag = "1")]
    query: String,
}

#[derive(Clone, PartialEq, Message)]
struct FlightDescriptor {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", tag = "2")]
    command: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct FlightInfo {
    #[prost(message, repeated, tag = "3")]
    endpoints: Vec<FlightEndpoint>,
}

#[derive(Clone, PartialEq, Message)]
struct FlightEndpoint {
    #[prost(message, optional, tag = "1")]
    ticket: Option<Ticket>,
}

#[derive(Clone, PartialEq, Message)]
struct Ticket {
    #[prost(bytes = "vec", tag = "1")]
    ticket: Vec<u8>,
}

/// A piece of an answer; its contents are not looked at.
#[derive(Clone, PartialEq, Message)]
struct FlightData {}
