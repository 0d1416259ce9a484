//! An upload with progress: the browser sends a file, and the server tells it how much has arrived,
//! as server-sent events. The file goes to the disk while it arrives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_lite::stream;
use kamea::time::sleep;
use kamea_app::{App, AppError, Call, Event, Events, Html, Multipart, Problem, State};

const PAGE: &str = r#"<!DOCTYPE html>
<meta name="viewport" content="width=device-width">
<title>Upload</title>
<label>A file to upload: <input type="file" id="file"></label>
<progress id="bar" max="100" value="0"></progress> <output id="said"></output>
<script>
  file.onchange = () => {
    const id = Math.random().toString(36).slice(2), form = new FormData();
    form.append("file", file.files[0]);
    const events = new EventSource("/progress/" + id);
    events.onmessage = (event) => { bar.value = 100 * event.data / file.files[0].size; };
    fetch("/upload/" + id, { method: "POST", body: form })
      .then((answer) => answer.text()).catch((error) => String(error))
      .then((text) => { said.value = text; events.close(); });
  };
</script>
"#;

/// How many bytes of each upload have arrived.
type Progress = State<Mutex<HashMap<String, u64>>>;

/// How many uploads are remembered.
const MOST: usize = 1000;

async fn upload(mut call: Call<String, Multipart, Progress>) -> Result<String, Problem> {
    let mut total = 0;
    while let Some(part) = call.body.next().await? {
        while let Some(chunk) = call.body.chunk().await? {
            total += chunk.len() as u64;
            let mut progress = call.with.lock().unwrap_or_else(PoisonError::into_inner);
            if progress.len() >= MOST {
                progress.clear();
            }
            progress.insert(call.params.clone(), total);
        }
        log::info!("{} has arrived", part.file_name.unwrap_or(part.name));
    }
    Ok(format!("{total} bytes\n"))
}

async fn progress(call: Call<String, (), Progress>) -> Events {
    let (id, progress) = (call.params, call.with);
    Events::new(stream::unfold((), move |()| {
        let (id, progress) = (id.clone(), progress.clone());
        async move {
            sleep(Duration::from_millis(200)).await;
            let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = progress.get(&id).copied().unwrap_or(0);
            Some((Event::new(bytes.to_string()), ()))
        }
    }))
}

fn main() -> Result<(), AppError> {
    App::with_state(Mutex::new(HashMap::new()))
        .get("/", async || Html(PAGE))
        .post("/upload/{id}", upload)
        .get("/progress/{id}", progress)
        .main("127.0.0.1:8000")
}
