//! The way between the nodes and the bus, and what goes wrong on it.

use super::{Due, MILLI, SECOND, TROUBLE, World};
use roomcast_cluster::bus::{Answer, Bus, CallId, ClientId, FromBus, Push, Record, Request};
use roomcast_core::Instant;

impl World {
    /// A request goes to the bus.
    pub(super) fn send(&mut self, machine: usize, call: Option<CallId>, request: &Request) {
        let may_be_lost = call.is_some() || matches!(request, Request::Send { .. });
        let (client, direction) = (self.machines[machine].client(), 0);
        self.travel(machine, direction, may_be_lost, |_| Due::ToBus(client, call, request.clone()));
    }

    /// Something goes to the bus, or comes from it: late, twice, or never. What is not lost comes in
    /// order, as a connection has it; when it is cut, it comes when that is over.
    pub(super) fn travel(
        &mut self,
        machine: usize,
        direction: usize,
        may_be_lost: bool,
        due: impl Fn(u64) -> Due,
    ) {
        let (net, is_trouble) = (self.net, self.at < TROUBLE);
        let cut_until = self.machines[machine].cut_until;
        let mut arrives = self.at + MILLI / 5 + self.random.below(net.delay);
        if !may_be_lost {
            arrives = arrives.max(cut_until).max(self.machines[machine].in_order[direction] + 1);
            self.machines[machine].in_order[direction] = arrives;
            self.later(arrives, due(0));
            return;
        }
        if cut_until > self.at || (is_trouble && self.random.per_mille(net.lost)) {
            return;
        }
        if is_trouble && self.random.per_mille(net.held) {
            arrives += self.random.between(500 * MILLI, 4 * SECOND);
        }
        if is_trouble && self.random.per_mille(net.twice) {
            let again = arrives + self.random.below(500 * MILLI);
            self.later(again, due(1));
        }
        self.later(arrives, due(0));
    }

    pub(super) fn bus_hears(
        &mut self,
        client: ClientId,
        call: Option<CallId>,
        request: Request,
    ) -> Result<(), String> {
        // A node that died has no connection; what it had sent may still arrive.
        let lives = self.machines.iter().any(|its| its.client() == client && its.node.is_some());
        if !lives && call.is_none() && !matches!(request, Request::Send { .. }) {
            return Ok(());
        }
        let now = Instant::from_nanos(self.at);
        let append = matches!(request, Request::Append { .. });
        let bytes = match &request {
            Request::Append { bytes, expected, .. } => Some((bytes.clone(), *expected)),
            _ => None,
        };
        if self.is_traced && call.is_some() {
            self.trace(format_args!("        bus: {client:?} {call:?}"));
        }
        self.bus.request(now, client, call, request);
        let mut pushed = Vec::new();
        while let Some((client, from)) = self.bus.poll() {
            if let (true, FromBus::Answer(_, Answer::Done(at)), Some((bytes, previous))) =
                (append, &from, &bytes)
            {
                let (at, previous, bytes) = (*at, *previous, bytes.clone());
                let (record, machines) = (Record { at, previous, bytes }, &self.machines);
                self.ages.accepted(&record, |its, now| machines[its].at(now));
                self.oracle.accepted(&record)?;
            }
            pushed.push((client, from));
        }
        for (client, from) in pushed {
            self.node_hears(client, &from);
        }
        self.bus_timer();
        Ok(())
    }

    pub(super) fn bus_says(&mut self) {
        while let Some((client, from)) = self.bus.poll() {
            self.node_hears(client, &from);
        }
        self.bus_timer();
    }

    pub(super) fn bus_timer(&mut self) {
        if let Some(at) = self.bus.poll_timeout() {
            self.later(at.as_nanos(), Due::BusTimer);
        }
    }

    pub(super) fn node_hears(&mut self, client: ClientId, from: &FromBus) {
        let machine = self.machines.iter().position(|its| its.client() == client);
        let Some(machine) = machine else { return };
        let may_be_lost = !matches!(from, FromBus::Push(Push::Key { .. }));
        self.travel(machine, 1, may_be_lost, |_| Due::ToNode(machine, client, from.clone()));
    }
}
