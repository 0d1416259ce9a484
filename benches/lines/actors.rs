//! Lines of actors. Each passes on what it gets. The last adds up, and reports the sum when the
//! sender has finished.

use std::time::Instant;

use actix::prelude::{Actor as _, Addr, Context, Handler, System};
use kameo::actor::{ActorRef as KameoRef, Spawn as _};
use kameo::mailbox;
use kameo::message::{Context as KameoContext, Message as KameoMessage};
use ractor::{Actor as RactorActor, ActorProcessingErr, ActorRef as RactorRef};
use tokio::sync::oneshot;

use super::{CAPACITY, figure, messages};
use crate::Error;

/// A message: a number, or the end.
#[derive(Debug, Clone, Copy)]
enum Message {
    Number(u64),
    End,
}

impl actix::Message for Message {
    type Result = ();
}

/// An actor of the line. `A` is the address type of the next one.
struct Stage<A> {
    next: Option<A>,
    sum: u64,
    ended: Option<oneshot::Sender<u64>>,
}

impl<A> Stage<A> {
    fn pass_to(next: A) -> Self {
        Self {
            next: Some(next),
            sum: 0,
            ended: None,
        }
    }

    fn last(ended: oneshot::Sender<u64>) -> Self {
        Self {
            next: None,
            sum: 0,
            ended: Some(ended),
        }
    }

    fn add(&mut self, message: Message) {
        match message {
            Message::Number(number) => self.sum += number,
            Message::End => {
                if let Some(ended) = self.ended.take() {
                    let _ = ended.send(self.sum);
                }
            }
        }
    }
}

/// The numbers, followed by the end.
fn all(length: u64) -> impl Iterator<Item = Message> {
    let numbers = (0..messages(length)).map(Message::Number);
    numbers.chain([Message::End])
}

type ActixStage = Stage<Addr<ActixNext>>;

/// Actix needs a type that contains its own address.
struct ActixNext(ActixStage);

impl actix::Actor for ActixNext {
    type Context = Context<Self>;
}

impl Handler<Message> for ActixNext {
    type Result = ();

    fn handle(&mut self, message: Message, _: &mut Context<Self>) {
        match &self.0.next {
            Some(next) => next.do_send(message),
            None => self.0.add(message),
        }
    }
}

/// Messages are sent without waiting: its mailboxes have no limit for those.
pub(super) fn actix(length: u64) -> Result<f64, Error> {
    System::new().block_on(async {
        let (ended, end) = oneshot::channel();
        let mut line = ActixNext(Stage::last(ended)).start();
        for _ in 1..length {
            line = ActixNext(Stage::pass_to(line)).start();
        }
        let start = Instant::now();
        all(length).for_each(|message| line.do_send(message));
        figure(start, length, end.await?)
    })
}

struct KameoStage(Stage<KameoRef<KameoStage>>);

impl kameo::Actor for KameoStage {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(stage: Self, _: KameoRef<Self>) -> Result<Self, Self::Error> {
        Ok(stage)
    }
}

impl KameoMessage<Message> for KameoStage {
    type Reply = ();

    async fn handle(&mut self, message: Message, _: &mut KameoContext<Self, ()>) {
        match &self.0.next {
            Some(next) => {
                // The next one ends with the runtime.
                let _ = next.tell(message).await;
            }
            None => self.0.add(message),
        }
    }
}

pub(super) fn kameo(length: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let (ended, end) = oneshot::channel();
        let spawn =
            |stage| KameoStage::spawn_with_mailbox(KameoStage(stage), mailbox::bounded(CAPACITY));
        let mut line = spawn(Stage::last(ended));
        for _ in 1..length {
            line = spawn(Stage::pass_to(line));
        }
        let start = Instant::now();
        for message in all(length) {
            line.tell(message)
                .await
                .map_err(|error| error.to_string())?;
        }
        figure(start, length, end.await?)
    })
}

type RactorStage = Stage<RactorRef<Message>>;

struct RactorLine;

impl RactorActor for RactorLine {
    type Msg = Message;
    type State = RactorStage;
    type Arguments = RactorStage;

    async fn pre_start(
        &self,
        _: RactorRef<Message>,
        stage: RactorStage,
    ) -> Result<RactorStage, ActorProcessingErr> {
        Ok(stage)
    }

    async fn handle(
        &self,
        _: RactorRef<Message>,
        message: Message,
        stage: &mut RactorStage,
    ) -> Result<(), ActorProcessingErr> {
        match &stage.next {
            Some(next) => next.cast(message)?,
            None => stage.add(message),
        }
        Ok(())
    }
}

/// Its mailboxes have no limit.
pub(super) fn ractor(length: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let (ended, end) = oneshot::channel();
        let (mut line, _) = RactorLine::spawn(None, RactorLine, Stage::last(ended)).await?;
        for _ in 1..length {
            (line, _) = RactorLine::spawn(None, RactorLine, Stage::pass_to(line)).await?;
        }
        let start = Instant::now();
        for message in all(length) {
            line.cast(message).map_err(|error| error.to_string())?;
        }
        figure(start, length, end.await?)
    })
}
