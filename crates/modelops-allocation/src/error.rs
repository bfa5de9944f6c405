//! What can be wrong with the input of each step.

use thiserror::Error;

/// A single amount is out of its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// A share of a device outside 1..=1000.
    #[error(
        "a share of {milli} thousandths is not between 1 and 1000: ask for several whole devices instead"
    )]
    Share {
        /// The share that was given.
        milli: u32,
    },
}

/// A fleet cannot be built from these nodes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FleetError {
    /// Two nodes have the same name, so that a binding would be ambiguous.
    #[error("two nodes are called `{name}`: give each its own name, or use `count`")]
    DuplicateNode {
        /// The name that occurs twice.
        name: String,
    },
    /// A node has no name.
    #[error("node {index} has no name")]
    UnnamedNode {
        /// Its position in the list.
        index: usize,
    },
    /// A node has more devices than a binding can name.
    #[error("node `{node}` has {devices} devices, the limit is {limit}: split it into several nodes")]
    TooManyDevices {
        /// The node.
        node: String,
        /// How many devices it has.
        devices: usize,
        /// [`crate::Fleet::MAX_DEVICES`].
        limit: usize,
    },
    /// The file asks for more nodes than one fleet may have.
    #[error("the fleet has {nodes} nodes, the limit is {limit}")]
    TooManyNodes {
        /// How many there would be.
        nodes: u64,
        /// [`crate::Fleet::MAX_NODES`].
        limit: u64,
    },
    /// The sum of one resource over the fleet does not fit into 63 bits.
    #[error("the total of `{resource}` is 2^63 or more: use a larger unit")]
    CapacityOverflow {
        /// The resource.
        resource: String,
    },
}

/// A workload or a catalogue cannot be built from these requests.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// Two requests have the same name.
    #[error("two requests are called `{name}`: use `replicas` for copies")]
    DuplicateRequest {
        /// The name that occurs twice.
        name: String,
    },
    /// A request has no name.
    #[error("request {index} has no name")]
    UnnamedRequest {
        /// Its position in the list.
        index: usize,
    },
    /// A request asks for no device in its `devices` section.
    #[error("request `{name}` asks for 0 devices: leave `devices` out")]
    NoDevices {
        /// The request.
        name: String,
    },
    /// A request names more resources than a reason can tell apart.
    #[error("request `{name}` names {resources} resources, the limit is {limit}")]
    TooManyResources {
        /// The request.
        name: String,
        /// How many it names.
        resources: usize,
        /// The limit.
        limit: usize,
    },
    /// A request has more constraints than a reason can tell apart.
    #[error("request `{name}` has {constraints} constraints, the limit is {limit}")]
    TooManyConstraints {
        /// The request.
        name: String,
        /// How many it has.
        constraints: usize,
        /// The limit.
        limit: usize,
    },
    /// A model of a catalogue has no variant.
    #[error("model `{name}` has no variant")]
    NoVariants {
        /// The model.
        name: String,
    },
    /// The sum of the demands or of the values over all replicas does not fit into 63 bits.
    #[error("the total of `{what}` over all replicas is 2^63 or more: use a larger unit")]
    DemandOverflow {
        /// A resource, or `value`, or `replicas`.
        what: String,
    },
}

/// A ledger refuses an operation; its state is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is no such node.
    #[error("there is no node {node}: the fleet has {nodes}")]
    UnknownNode {
        /// The index that was given.
        node: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// There is no such device, or it is of a kind that the request does not accept.
    #[error("the devices do not match the request on node {node}")]
    DeviceMismatch {
        /// The node.
        node: usize,
    },
    /// The node or one of the devices has not enough left.
    #[error("node {node} has {free} of `{resource}` left where {requested} are asked for")]
    Insufficient {
        /// The node.
        node: usize,
        /// The resource that is short.
        resource: String,
        /// What was asked for.
        requested: u64,
        /// What is left.
        free: u64,
    },
    /// The ticket was released before, or comes from another ledger.
    #[error("ticket {ticket} is not bound")]
    UnknownTicket {
        /// The ticket's number.
        ticket: u64,
    },
    /// A migration places a request that is not among those given.
    #[error("there is no pending request {request}: {requests} were given")]
    UnknownRequest {
        /// The position that the migration names.
        request: usize,
        /// How many were given.
        requests: usize,
    },
    /// The mark lies behind a state that has been rolled back already.
    #[error("mark {mark} is not in the journal of {length} operations")]
    UnknownMark {
        /// The mark's position.
        mark: usize,
        /// The journal's length.
        length: usize,
    },
}

/// A cluster cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KubernetesError {
    /// An amount is not a quantity, below 0, or too large.
    #[error("{object}: `{text}` is no amount of {resource}")]
    Quantity {
        /// The node or pod.
        object: String,
        /// The resource or annotation.
        resource: String,
        /// What stands there.
        text: String,
    },
    /// A pod runs on a node that is not listed.
    #[error("pod {pod} runs on {node}, which is not among the nodes: list the nodes after the pods")]
    UnknownNode {
        /// The pod.
        pod: String,
        /// Its node.
        node: String,
    },
    /// A node runs more than it has.
    #[error("pod {pod} cannot be where it runs")]
    Ledger {
        /// The pod.
        pod: String,
        /// Why.
        source: LedgerError,
    },
    /// The nodes make no fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The pods make no workload.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
}

/// An exact solver refuses its input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The sum of the values, of the weights or of the sizes does not fit into what the solver says: 62 bits, or 40.
    #[error("the sum of the {what} is too large: use a larger unit")]
    Overflow {
        /// `values`, `weights` or `sizes`.
        what: &'static str,
    },
    /// More items than a solver can index.
    #[error("{items} items are more than the limit of {limit}")]
    TooManyItems {
        /// How many there are.
        items: usize,
        /// The limit.
        limit: usize,
    },
    /// A class of a multiple-choice problem is empty, so that nothing can be chosen from it.
    #[error("class {class} has no variant: give it one of value 0 and weight 0 if it may be left out")]
    EmptyClass {
        /// The position of the class.
        class: usize,
    },
    /// Even the lightest variant of every class together is too heavy.
    #[error("the lightest variants weigh {lightest} together, the budget is {budget}")]
    BudgetTooSmall {
        /// The least weight possible.
        lightest: u64,
        /// The budget that was given.
        budget: u64,
    },
    /// An item is larger than a bin.
    #[error("item {item} of size {size} is larger than the capacity of {capacity}")]
    Oversized {
        /// The position of the item.
        item: usize,
        /// Its size.
        size: u64,
        /// The capacity of a bin.
        capacity: u64,
    },
    /// An item does not have one weight for each capacity.
    #[error("item {item} has {weights} weights for {capacities} capacities")]
    Dimensions {
        /// The position of the item.
        item: usize,
        /// How many weights it has.
        weights: usize,
        /// How many capacities there are.
        capacities: usize,
    },
    /// A value table is empty or does not start with the value of no units.
    #[error("table {table} is empty: its first entry is the value of no units")]
    EmptyTable {
        /// The position of the table.
        table: usize,
    },
}

/// An instance of the OR-Library cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrlibError {
    /// A number is missing or is not whole.
    #[error("word {at} is missing or is no whole number")]
    Number {
        /// The position of the word, counted from 1.
        at: usize,
    },
}

/// Jobs cannot be assigned to agents.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AssignError {
    /// A job does not have one offer of each agent.
    #[error(
        "job {job} has {offers} offers for {agents} agents: a weight above the capacity where one cannot do it"
    )]
    Offers {
        /// The position of the job.
        job: usize,
        /// How many offers it has.
        offers: usize,
        /// How many agents there are.
        agents: usize,
    },
    /// The dearest or heaviest offers sum to too much.
    #[error("the {what} are too large to be summed: use a larger unit")]
    Overflow {
        /// `costs`, which must stay below 2⁴⁸, or `weights`, below 2⁶⁰.
        what: &'static str,
    },
    /// No agent has the capacity for a job, even alone.
    #[error("job {job} fits on no agent")]
    Unassignable {
        /// The position of the job.
        job: usize,
    },
    /// No assignment was found within the limit; there may be none.
    #[error("no assignment was found within the limit of states: there may be none")]
    Undecided,
}

/// A model cannot be split into stages.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A layer does not say what it takes on each kind of device.
    #[error("layer {layer} has {times} times for {kinds} kinds of devices: `None` where it cannot run")]
    Times {
        /// The position of the layer.
        layer: usize,
        /// How many times it has.
        times: usize,
        /// How many kinds of devices there are.
        kinds: usize,
    },
    /// The sum over all layers does not fit into 61 bits.
    #[error("the {what} sum to 2^61 or more: use a larger unit")]
    Overflow {
        /// `times`, `memory` or `outputs`.
        what: &'static str,
    },
    /// A layer reads, through others, what it writes.
    #[error("layer {layer} depends on itself")]
    Cycle {
        /// The position of one layer of the cycle.
        layer: usize,
    },
    /// A forward layer reads the output of a backward one.
    #[error("backward layer {from} feeds forward layer {to}")]
    BackwardFeedsForward {
        /// The backward layer.
        from: usize,
        /// The forward layer.
        to: usize,
    },
    /// No device can run this layer with those that have to be on its device.
    #[error(
        "layer {layer}, with what shares its device, fits on no kind of device: split its class or add memory"
    )]
    Unplaceable {
        /// The position of one of the layers.
        layer: usize,
    },
    /// No contiguous split fits on the devices.
    #[error("no split into stages fits on the devices: add devices or memory")]
    Infeasible,
    /// The limit was reached before any split was found.
    #[error("no split was found within the limit of states: raise it")]
    Undecided,
}

/// A pool cannot be shared among these tenants.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FairnessError {
    /// Two tenants have the same name.
    #[error("two tenants are called `{name}`: use `with_weight` for one that counts twice")]
    DuplicateTenant {
        /// The name that occurs twice.
        name: String,
    },
    /// A tenant has weight 0.
    #[error("tenant `{name}` has weight 0: give it a positive weight or leave it out")]
    ZeroWeight {
        /// The tenant.
        name: String,
    },
    /// A task of a tenant needs nothing, so that no number of tasks is too many.
    #[error("a task of tenant `{name}` needs nothing: name at least one amount above 0")]
    NoDemand {
        /// The tenant.
        name: String,
    },
}

/// A trace cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The header lacks a column.
    #[error("the header has no column `{column}`")]
    MissingColumn {
        /// The column.
        column: &'static str,
    },
    /// A field is missing or not a number.
    #[error("line {line}: `{column}` is not a whole number of 0 or more")]
    Number {
        /// The line, counted from 1.
        line: usize,
        /// The column.
        column: &'static str,
    },
    /// A share outside 1..=1000 for a request of devices.
    #[error("line {line}: the share of a device is wrong")]
    Share {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: ResourceError,
    },
    /// The nodes make no fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}
