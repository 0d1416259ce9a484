//! The book and the README, so that every code block in them is a test.

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
pub mod readme {}
#[doc = include_str!("src/guide.md")]
#[cfg(doctest)]
pub mod guide {}
#[doc = include_str!("src/census.md")]
#[cfg(doctest)]
pub mod census {}
#[doc = include_str!("src/contract.md")]
#[cfg(doctest)]
pub mod contract {}
#[doc = include_str!("src/wsgi.md")]
#[cfg(doctest)]
pub mod wsgi {}
#[doc = include_str!("src/simulation.md")]
#[cfg(doctest)]
pub mod simulation {}
#[doc = include_str!("src/tls.md")]
#[cfg(doctest)]
pub mod tls {}
#[doc = include_str!("src/security.md")]
#[cfg(doctest)]
pub mod security {}
#[doc = include_str!("src/server.md")]
#[cfg(doctest)]
pub mod server {}
#[doc = include_str!("src/inspect.md")]
#[cfg(doctest)]
pub mod inspect {}
#[doc = include_str!("src/reports.md")]
#[cfg(doctest)]
pub mod reports {}
#[doc = include_str!("src/app.md")]
#[cfg(doctest)]
pub mod app {}
#[doc = include_str!("src/websocket.md")]
#[cfg(doctest)]
pub mod websocket {}
#[doc = include_str!("src/sessions.md")]
#[cfg(doctest)]
pub mod sessions {}
#[doc = include_str!("src/daemon.md")]
#[cfg(doctest)]
pub mod daemon {}
#[doc = include_str!("src/proxy.md")]
#[cfg(doctest)]
pub mod proxy {}
#[doc = include_str!("src/chat.md")]
#[cfg(doctest)]
pub mod chat {}
#[doc = include_str!("src/gateway.md")]
#[cfg(doctest)]
pub mod gateway {}
#[doc = include_str!("src/kamaelia.md")]
#[cfg(doctest)]
pub mod kamaelia {}
#[cfg(doctest)]
pub mod mini_axon {
    #[doc = include_str!("src/tutorial/mini_axon_1.md")]
    pub mod microprocess {}
    #[doc = include_str!("src/tutorial/mini_axon_2.md")]
    pub mod scheduler {}
    #[doc = include_str!("src/tutorial/mini_axon_3.md")]
    pub mod component {}
    #[doc = include_str!("src/tutorial/mini_axon_4.md")]
    pub mod postman {}
    #[doc = include_str!("src/tutorial/mini_axon_5.md")]
    pub mod using_them {}
    #[doc = include_str!("src/tutorial/mini_axon_6.md")]
    pub mod small_program {}
}
#[doc = include_str!("src/tutorial/pipelines.md")]
#[cfg(doctest)]
pub mod pipelines {}
#[doc = include_str!("src/thor.md")]
#[cfg(doctest)]
pub mod thor {}
