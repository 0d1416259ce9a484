// How new messages draw attention: the title, a sound, and notifications of the browser.

const find = (id) => document.getElementById(id);
const stored = { get sound() { try { return localStorage.getItem("sound") !== "off"; } catch { return true; } }, set sound(on) { try { localStorage.setItem("sound", on ? "on" : "off"); } catch { /* The choice is for this page only. */ } } };

let isLoud = stored.sound, wantsNotes = false, audio = null, last = 0;

/** Whether the reader is looking at the page. */
export const isWatched = () => document.visibilityState === "visible" && document.hasFocus();

export function title(unread, place) {
  const name = place ? `${place} – Chat` : "Chat";
  document.title = unread ? `(${unread > 999 ? "999+" : unread}) ${name}` : name;
}

/** Sounds, and shows a notification if the reader is elsewhere. */
export function announce(heading, text, tag, open) {
  if (isLoud) beep();
  if (!wantsNotes || isWatched()) return;
  const note = new Notification(heading, { body: text.slice(0, 200), tag, renotify: true, icon: "favicon.svg", silent: true });
  note.addEventListener("click", () => { window.focus(); note.close(); open(); });
}

function beep() {
  const now = performance.now();
  // Many messages at once make one sound.
  if (!audio || audio.state !== "running" || now - last < 1500) return;
  last = now;
  for (const [at, pitch] of [[0, 660], [0.11, 880]]) {
    const tone = audio.createOscillator(), volume = audio.createGain(), start = audio.currentTime + at;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.08, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.2);
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.25);
  }
}

function showChoices() {
  find("sound").setAttribute("aria-pressed", isLoud);
  find("notify").setAttribute("aria-pressed", wantsNotes);
  find("notify").hidden = !("Notification" in window) || Notification.permission === "denied";
}

export function start() {
  // A browser lets a page make sounds once its reader has done something in it.
  const wake = () => { audio ??= window.AudioContext ? new AudioContext() : null; audio?.resume(); };
  addEventListener("pointerdown", wake);
  addEventListener("keydown", wake);
  find("sound").addEventListener("click", () => { isLoud = stored.sound = !isLoud; showChoices(); if (isLoud) { last = 0; beep(); } });
  find("notify").addEventListener("click", async () => {
    // Only a click asks for the permission.
    wantsNotes = !wantsNotes && (await Notification.requestPermission()) === "granted";
    showChoices();
  });
  wantsNotes = "Notification" in window && Notification.permission === "granted";
  showChoices();
}
