//! The commands as scripts of Redis, and their encoding.
//!
//! | key | value |
//! |---|---|
//! | `i:` digest of a session's name | the key of the session |
//! | `s:` key | a hash: `c` when it began, `i` the digest, `u` the user, `v` and a name: a value |
//! | `r:` digest of a former name | nothing, for a minute |
//! | `l:` user | the keys of the user's sessions, sorted by the time at which each expires |

use bytes::{Bytes, BytesMut};
use kamea_session::{Command, SessionId, SessionKey};
use redis_protocol::resp2::encode::extend_encode;
use redis_protocol::resp2::types::BytesFrame;

use crate::RedisOptions;

/// What each script begins with: its first arguments, and the time of Redis.
const BEGIN: &str = "
local p, idle, absolute = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function int(number) return string.format('%d', number) end
local function finish(key)
  local s = p .. 's:' .. key
  local id, user = redis.call('HGET', s, 'i'), redis.call('HGET', s, 'u')
  if id then redis.call('DEL', p .. 'i:' .. id) end
  if user then redis.call('ZREM', p .. 'l:' .. user, key) end
  redis.call('DEL', s)
end
";

/// What a script about a session goes on with.
const LIVE: &str = "
local s = p .. 's:' .. ARGV[4]
local created = redis.call('HGET', s, 'c')
if not created or now - tonumber(created) >= absolute then
  finish(ARGV[4])
  return 'ended'
end
";

const LOAD: &str = "
local key = redis.call('GET', p .. 'i:' .. ARGV[4])
if not key then
  if redis.call('EXISTS', p .. 'r:' .. ARGV[4]) == 1 then return 'retired' end
  return false
end
local s = p .. 's:' .. key
local created = redis.call('HGET', s, 'c')
if not created then return false end
local left = math.min(idle, tonumber(created) + absolute - now)
if left <= 0 then
  finish(key)
  return false
end
redis.call('PEXPIRE', s, int(left))
redis.call('PEXPIRE', p .. 'i:' .. ARGV[4], int(left))
local user = redis.call('HGET', s, 'u')
if user then redis.call('ZADD', p .. 'l:' .. user, 'XX', int(now + left), key) end
return {key, redis.call('HGETALL', s)}
";

const CREATE: &str = "
local s, left = p .. 's:' .. ARGV[4], int(math.min(idle, absolute))
redis.call('HSET', s, 'c', int(now), 'i', ARGV[5])
redis.call('PEXPIRE', s, left)
redis.call('SET', p .. 'i:' .. ARGV[5], ARGV[4], 'PX', left)
return 'applied'
";

const SET: &str = "
redis.call('HSET', s, 'v' .. ARGV[5], ARGV[6])
return 'applied'
";

const REPLACE: &str = "
local present = redis.call('HGET', s, 'v' .. ARGV[5])
local old = false
if ARGV[6] == 'some' then old = ARGV[7] end
if present ~= old then return {'differs', present} end
redis.call('HSET', s, 'v' .. ARGV[5], ARGV[8])
return 'applied'
";

const REMOVE: &str = "
if redis.call('HDEL', s, 'v' .. ARGV[5]) == 1 then return 'applied' end
return {'differs', false}
";

const ROTATE: &str = "
local old, left = redis.call('HGET', s, 'i'), redis.call('PTTL', s)
redis.call('DEL', p .. 'i:' .. old)
redis.call('SET', p .. 'r:' .. old, '', 'PX', 60000)
redis.call('HSET', s, 'i', ARGV[5])
redis.call('SET', p .. 'i:' .. ARGV[5], ARGV[4], 'PX', int(math.max(left, 1)))
if ARGV[6] == 'some' then
  local former = redis.call('HGET', s, 'u')
  if former then redis.call('ZREM', p .. 'l:' .. former, ARGV[4]) end
  redis.call('HSET', s, 'u', ARGV[7])
  local of_user = p .. 'l:' .. ARGV[7]
  redis.call('ZREMRANGEBYSCORE', of_user, '-inf', int(now))
  redis.call('ZADD', of_user, int(now + left), ARGV[4])
  redis.call('PEXPIRE', of_user, int(absolute))
end
return 'applied'
";

const END: &str = "
finish(ARGV[4])
return 'ended'
";

const END_ALL: &str = "
for _, key in ipairs(redis.call('ZRANGE', p .. 'l:' .. ARGV[4], 0, -1)) do finish(key) end
redis.call('DEL', p .. 'l:' .. ARGV[4])
return 'ended'
";

/// A command for Redis, and what its answer means.
pub(crate) struct Scripted {
    pub(crate) bytes: Bytes,
    pub(crate) meaning: Meaning,
}

/// How an answer of Redis is to be read.
#[derive(Debug, Clone)]
pub(crate) enum Meaning {
    Load,
    /// The session has this name, if it is `applied`.
    Named(SessionKey, SessionId),
    Change,
}

/// Encodes a command.
pub(crate) fn scripted(command: Command, options: &RedisOptions) -> Scripted {
    let digest = |id: &SessionId| id.digest().to_string();
    let key = |key: &SessionKey| key.as_str().to_owned();
    let (script, live, arguments, meaning) = match command {
        Command::Load { id, .. } => (LOAD, "", vec![digest(&id)], Meaning::Load),
        Command::Create => {
            let (new, id) = (SessionKey::random(), SessionId::random());
            let arguments = vec![key(&new), digest(&id)];
            (CREATE, "", arguments, Meaning::Named(new, id))
        }
        Command::Set {
            key: of,
            name,
            value,
        } => (SET, LIVE, vec![key(&of), name, value], Meaning::Change),
        Command::Replace {
            key: of,
            name,
            old,
            new,
        } => {
            let [is_some, old] = optional(old);
            let arguments = vec![key(&of), name, is_some, old, new];
            (REPLACE, LIVE, arguments, Meaning::Change)
        }
        Command::Remove { key: of, name } => (REMOVE, LIVE, vec![key(&of), name], Meaning::Change),
        Command::Rotate { key: of, user } => {
            let id = SessionId::random();
            let [is_some, user] = optional(user);
            let arguments = vec![key(&of), digest(&id), is_some, user];
            (ROTATE, LIVE, arguments, Meaning::Named(of, id))
        }
        Command::End { key: of } => (END, "", vec![key(&of)], Meaning::Change),
        Command::EndAll { user } => (END_ALL, "", vec![user], Meaning::Change),
        other => unreachable!("{other:?} is no command that this version knows"),
    };
    let idle = options.lifetimes.idle.as_millis().to_string();
    let absolute = options.lifetimes.absolute.as_millis().to_string();
    let mut words = vec![
        "EVAL".to_owned(),
        format!("{BEGIN}{live}{script}"),
        "0".to_owned(),
    ];
    words.extend([options.prefix.clone(), idle, absolute]);
    words.extend(arguments);
    Scripted {
        bytes: encoded(words),
        meaning,
    }
}

/// The command that gives the password.
pub(crate) fn authentication(password: &str) -> Bytes {
    encoded(vec!["AUTH".to_owned(), password.to_owned()])
}

fn optional(text: Option<String>) -> [String; 2] {
    match text {
        Some(text) => ["some".to_owned(), text],
        None => ["none".to_owned(), String::new()],
    }
}

fn encoded(words: Vec<String>) -> Bytes {
    let words = words
        .into_iter()
        .map(|word| BytesFrame::BulkString(word.into()));
    let frame = BytesFrame::Array(words.collect());
    let mut bytes = BytesMut::new();
    // The buffer grows as needed, so that no frame of ours is an error.
    let _ = extend_encode(&mut bytes, &frame, false);
    bytes.freeze()
}
