//! DNS messages (RFC 1035), as much of them as name look-ups of IPv4 hosts need.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use simple_dns::rdata::{PTR, RData};
use simple_dns::{CLASS, Name, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE};

/// What is asked for (RFC 1035, 3.2.2; RFC 3596).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum QType {
    A,
    Aaaa,
    Ptr,
    /// Any other, by its number.
    Other(u16),
}

/// Response code (RFC 1035, 4.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub enum Rcode {
    #[default]
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
    /// Any other.
    Other,
}

impl Rcode {
    /// The name that `dig` prints.
    pub fn name(self) -> &'static str {
        match self {
            Rcode::NoError => "NOERROR",
            Rcode::FormErr => "FORMERR",
            Rcode::ServFail => "SERVFAIL",
            Rcode::NxDomain => "NXDOMAIN",
            Rcode::NotImp => "NOTIMP",
            Rcode::Refused => "REFUSED",
            Rcode::Other => "RESERVED",
        }
    }
}

/// An answer record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its owner, without the last dot.
    pub name: String,
    /// Seconds it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A name, without the last dot.
    Ptr(String),
}

/// A message with one question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Identifier.
    pub id: u16,
    /// It is an answer (QR).
    pub response: bool,
    /// AA.
    pub authoritative: bool,
    /// RD.
    pub recursion_desired: bool,
    /// RA.
    pub recursion_available: bool,
    /// RCODE.
    pub rcode: Rcode,
    /// The name asked for, without the last dot.
    pub name: String,
    /// What is asked for.
    pub qtype: QType,
    /// Answer section; records of other types are left out.
    pub answers: Vec<Record>,
}

impl Message {
    /// A query as a stub resolver sends it.
    pub fn query(id: u16, name: &str, qtype: QType) -> Message {
        Message {
            id,
            response: false,
            authoritative: false,
            recursion_desired: true,
            recursion_available: false,
            rcode: Rcode::NoError,
            name: name.trim_end_matches('.').to_owned(),
            qtype,
            answers: Vec::new(),
        }
    }

    /// The answer to a query, still empty.
    pub fn reply(&self, rcode: Rcode) -> Message {
        Message { response: true, rcode, answers: Vec::new(), ..self.clone() }
    }

    /// Reads a message; none if it is damaged or asks nothing.
    pub fn parse(bytes: &[u8]) -> Option<Message> {
        let p = simple_dns::Packet::parse(bytes).ok()?;
        let q = p.questions.first()?;
        let answers = p.answers.iter().filter_map(record).collect();
        Some(Message {
            id: p.id(),
            response: p.has_flags(PacketFlag::RESPONSE),
            authoritative: p.has_flags(PacketFlag::AUTHORITATIVE_ANSWER),
            recursion_desired: p.has_flags(PacketFlag::RECURSION_DESIRED),
            recursion_available: p.has_flags(PacketFlag::RECURSION_AVAILABLE),
            rcode: match p.rcode() {
                RCODE::NoError => Rcode::NoError,
                RCODE::FormatError => Rcode::FormErr,
                RCODE::ServerFailure => Rcode::ServFail,
                RCODE::NameError => Rcode::NxDomain,
                RCODE::NotImplemented => Rcode::NotImp,
                RCODE::Refused => Rcode::Refused,
                _ => Rcode::Other,
            },
            name: q.qname.to_string(),
            qtype: match q.qtype {
                QTYPE::TYPE(TYPE::A) => QType::A,
                QTYPE::TYPE(TYPE::AAAA) => QType::Aaaa,
                QTYPE::TYPE(TYPE::PTR) => QType::Ptr,
                other => QType::Other(other.into()),
            },
            answers,
        })
    }

    /// The message on the wire; `compressed`: owners point at the question (RFC 1035, 4.1.4). None if a name
    /// cannot be written: a label of more than 63 bytes, a name of more than 255.
    pub fn bytes(&self, compressed: bool) -> Option<Bytes> {
        let mut p =
            if self.response { simple_dns::Packet::new_reply(self.id) } else { simple_dns::Packet::new_query(self.id) };
        for (set, flag) in [
            (self.authoritative, PacketFlag::AUTHORITATIVE_ANSWER),
            (self.recursion_desired, PacketFlag::RECURSION_DESIRED),
            (self.recursion_available, PacketFlag::RECURSION_AVAILABLE),
        ] {
            if set {
                p.set_flags(flag);
            }
        }
        *p.rcode_mut() = match self.rcode {
            Rcode::NoError => RCODE::NoError,
            Rcode::FormErr => RCODE::FormatError,
            Rcode::ServFail => RCODE::ServerFailure,
            Rcode::NxDomain => RCODE::NameError,
            Rcode::NotImp | Rcode::Other => RCODE::NotImplemented,
            Rcode::Refused => RCODE::Refused,
        };
        let qtype = match self.qtype {
            QType::A => TYPE::A.into(),
            QType::Aaaa => TYPE::AAAA.into(),
            QType::Ptr => TYPE::PTR.into(),
            QType::Other(n) => QTYPE::try_from(n).ok()?,
        };
        p.questions.push(simple_dns::Question::new(
            Name::new(&self.name).ok()?,
            qtype,
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        for r in &self.answers {
            let data = match &r.data {
                Data::A(a) => RData::A((*a).into()),
                Data::Aaaa(a) => RData::AAAA((*a).into()),
                Data::Ptr(n) => RData::PTR(PTR(Name::new(n).ok()?)),
            };
            p.answers.push(ResourceRecord::new(Name::new(&r.name).ok()?, CLASS::IN, r.ttl, data));
        }
        let bytes = if compressed { p.build_bytes_vec_compressed() } else { p.build_bytes_vec() };
        bytes.ok().map(Bytes::from)
    }
}

fn record(r: &ResourceRecord<'_>) -> Option<Record> {
    let data = match &r.rdata {
        RData::A(a) => Data::A(a.clone().into()),
        RData::AAAA(a) => Data::Aaaa(a.clone().into()),
        RData::PTR(n) => Data::Ptr(n.0.to_string()),
        _ => return None,
    };
    Some(Record { name: r.name.to_string(), ttl: r.ttl, data })
}

/// The name under which an address is looked up (RFC 1035, 3.5).
pub fn in_addr_arpa(a: Ipv4Addr) -> String {
    reversed(&a.to_string())
}

/// The same of what may be no address: its labels from the last to the first.
pub fn reversed(text: &str) -> String {
    let labels: Vec<&str> = text.rsplit('.').collect();
    format!("{}.in-addr.arpa", labels.join("."))
}

/// The address that such a name stands for.
pub fn addr_of_arpa(name: &str) -> Option<Ipv4Addr> {
    let a: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [b0, b1, b2, b3] = a.octets();
    Some(Ipv4Addr::new(b3, b2, b1, b0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        // A question of the recorder's own probe, and two answers: of an engine's name server, and of a plain one.
        let q = Message::query(0x1bbf, "www.example.com", QType::A);
        let wire = hex("1bbf0100000100000000000003777777076578616d706c6503636f6d0000010001");
        assert_eq!(q.bytes(false).as_deref(), Some(&wire[..]));
        assert_eq!(Message::parse(&wire), Some(q));
        let engine = hex("a4f881800001000100000000037765620000010001037765620000010001000002580004ac120002");
        let m = Message::parse(&engine).expect("a message");
        assert_eq!((m.authoritative, m.recursion_available, m.answers[0].ttl), (false, true, 600));
        assert_eq!(m.bytes(false).as_deref(), Some(&engine[..]));
        let plain =
            hex("1bbf8580000100010000000003777777076578616d706c6503636f6d0000010001c00c000100010000003c0004cb007150");
        let m = Message::parse(&plain).expect("a message");
        assert_eq!(m.answers[0].data, Data::A(Ipv4Addr::new(203, 0, 113, 80)));
        assert_eq!(m.bytes(true).as_deref(), Some(&plain[..]));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        assert_eq!(Message::query(1, &"x".repeat(64), QType::A).bytes(false), None);
        assert_eq!(Message::parse(b"not a message"), None);
    }

    fn hex(t: &str) -> Vec<u8> {
        (0..t.len()).step_by(2).map(|i| u8::from_str_radix(&t[i..i + 2], 16).expect("hex")).collect()
    }
}
