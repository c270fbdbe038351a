"use strict";
// What the pages need beyond markup: parts that the server pushes, times in the reader's own zone, and the log panel.
// Text from outside only ever becomes text here, never markup; markup comes from the server's templates alone.

const ROW_PIXELS = 20;
const MARGIN_ROWS = 30;
const TYPING_MILLISECONDS = 300;
const AGAIN_MILLISECONDS = 2000;
const ESCAPES = /\x1b\[([0-9;]*)m/g;
const OTHER_CONTROLS = /\x1b(?:\[[0-9;?]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])|[\x00-\x08\x0b-\x1f\x7f]/g;

function say(words) {
  const place = document.getElementById("connection");
  if (place && place.textContent !== words) place.textContent = words;
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    time.textContent = moment.toLocaleString();
    time.title = time.dateTime;
  }
}

function fill(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const address = focused && focused.getAttribute("href");
  place.innerHTML = html;
  localTimes(place);
  if (address) place.querySelector(`[href="${CSS.escape(address)}"]`)?.focus();
}

function toSignIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// What the server pushes. A browser connects again by itself where nobody answers, and gives up where somebody answers
// with a fault, as a gateway does that has just started: then it is asked again here.
class Pushed {
  constructor(address, events, whenAway = () => {}) {
    this.address = address;
    this.events = events;
    this.whenAway = whenAway;
    this.isOver = false;
    this.open();
  }

  open() {
    if (this.isOver) return;
    this.source = new EventSource(this.address());
    for (const [name, act] of Object.entries(this.events)) this.source.addEventListener(name, act);
    this.source.addEventListener("over", () => this.close());
    this.source.addEventListener("signed-out", () => {
      this.close();
      toSignIn();
    });
    this.source.addEventListener("error", () => {
      if (this.isOver) return;
      this.whenAway();
      if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.again(), AGAIN_MILLISECONDS);
    });
  }

  async again() {
    if (this.isOver) return;
    const answer = await fetch("/api/v1/me", { cache: "no-store" }).catch(() => null);
    if (answer && answer.status === 401) toSignIn();
    else this.open();
  }

  close() {
    this.isOver = true;
    this.source.close();
  }
}

function follow(address) {
  new Pushed(
    () => address,
    {
      open: () => say("Live"),
      parts: (event) => {
        for (const [id, html] of Object.entries(JSON.parse(event.data))) fill(id, html);
      },
      over: () => say(""),
      away: (event) => say(`Out of date: ${JSON.parse(event.data).words}`),
      back: () => say("Live"),
    },
    () => say("Out of date: connecting again …"),
  );
}

// A line's text, with what the escape sequences for colours mean as classes.
function styled(text) {
  const whole = document.createElement("span");
  whole.className = "text";
  let classes = new Set();
  let at = 0;
  const add = (piece) => {
    const plain = piece.replace(OTHER_CONTROLS, "");
    if (!plain) return;
    const span = document.createElement("span");
    span.className = [...classes].join(" ");
    span.textContent = plain;
    whole.append(span);
  };
  for (const match of text.matchAll(ESCAPES)) {
    add(text.slice(at, match.index));
    at = match.index + match[0].length;
    for (const code of (match[1] || "0").split(";").map(Number)) classes = afterCode(classes, code);
  }
  add(text.slice(at));
  return whole;
}

function afterCode(classes, code) {
  const kept = new Set(classes);
  const drop = (letter) => [...kept].filter((name) => name.startsWith(letter)).forEach((name) => kept.delete(name));
  if (code === 0) return new Set();
  if (code >= 1 && code <= 4) kept.add(`a${code}`);
  if (code === 22 || code === 39) drop(code === 22 ? "a" : "c");
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
    drop("c");
    kept.add(`c${code % 10}`);
  }
  return kept;
}

// The log: all lines are kept, and only those in sight are on the page.
class LogPanel {
  constructor(section) {
    this.address = section.dataset.log;
    this.download = section.dataset.download;
    this.view = document.getElementById("log-view");
    this.room = document.getElementById("log-room");
    this.shown = document.getElementById("log-lines");
    this.count = document.getElementById("log-count");
    this.pause = document.getElementById("log-pause");
    this.step = document.getElementById("log-step");
    this.search = document.getElementById("log-search");
    this.stream = "all";
    this.follows = true;
    this.lines = [];
    this.open = new Map();
    this.pushed = null;
    this.isDrawn = true;
    this.listen(section);
    this.begin();
  }

  listen(section) {
    this.view.addEventListener("scroll", () => this.later());
    addEventListener("resize", () => this.later());
    this.step.addEventListener("change", () => this.begin());
    for (const button of section.querySelectorAll("[data-stream]")) {
      button.addEventListener("click", () => {
        for (const one of section.querySelectorAll("[data-stream]")) one.setAttribute("aria-pressed", one === button);
        this.stream = button.dataset.stream;
        this.begin();
      });
    }
    let typing = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.begin(), TYPING_MILLISECONDS);
    });
    this.pause.addEventListener("click", () => this.setFollowing(!this.follows));
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-log-step]");
      if (!link) return;
      event.preventDefault();
      this.step.value = link.dataset.logStep;
      this.begin();
      section.scrollIntoView();
      this.view.focus({ preventScroll: true });
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
      event.preventDefault();
      this.search.focus();
    });
  }

  setFollowing(follows) {
    this.follows = follows;
    this.pause.textContent = follows ? "Pause" : "Resume";
    this.pause.setAttribute("aria-pressed", !follows);
    this.later();
  }

  begin() {
    this.pushed?.close();
    this.clear();
    let cursor = "";
    const query = new URLSearchParams({ step: this.step.value, stream: this.stream, search: this.search.value });
    document.getElementById("log-download").href = `${this.download}?${this.forDownload()}`;
    this.pushed = new Pushed(() => `${this.address}?${query}${cursor && `&after=${encodeURIComponent(cursor)}`}`, {
      lines: (event) => {
        cursor = event.lastEventId;
        this.add(JSON.parse(event.data));
      },
      reset: () => this.clear(),
    });
  }

  forDownload() {
    const query = new URLSearchParams({ stream: this.stream });
    if (this.step.value) query.set("step", this.step.value);
    if (this.search.value) query.set("search", this.search.value);
    return query;
  }

  clear() {
    this.lines = [];
    this.open.clear();
    this.later();
  }

  add(rows) {
    for (const [time, step, stream, text, continues] of rows) {
      const key = `${step} ${stream}`;
      const begun = this.open.get(key);
      if (begun) begun.text += text;
      else this.lines.push({ time, step, stream, text });
      if (continues) this.open.set(key, begun || this.lines[this.lines.length - 1]);
      else this.open.delete(key);
    }
    this.later();
  }

  later() {
    if (!this.isDrawn) return;
    this.isDrawn = false;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.isDrawn = true;
    const total = this.lines.length;
    this.room.style.height = `${total * ROW_PIXELS}px`;
    if (this.follows) this.view.scrollTop = this.room.offsetHeight;
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW_PIXELS) - MARGIN_ROWS);
    const visible = Math.ceil(this.view.clientHeight / ROW_PIXELS) + 2 * MARGIN_ROWS;
    this.shown.style.transform = `translateY(${first * ROW_PIXELS}px)`;
    this.shown.replaceChildren(...this.lines.slice(first, first + visible).map((line) => this.row(line)));
    const words = `${total.toLocaleString()} line${total === 1 ? "" : "s"}`;
    if (this.count.textContent !== words) this.count.textContent = words;
  }

  row(line) {
    const row = document.createElement("div");
    row.className = `row ${line.stream}`;
    const at = document.createElement("span");
    at.className = "at";
    at.textContent = new Date(line.time).toLocaleTimeString();
    const of = document.createElement("span");
    of.className = "of";
    of.textContent = this.step.value ? "" : line.step;
    row.append(at, of);
    if (line.stream === "stderr") {
      const flag = document.createElement("span");
      flag.className = "flag";
      flag.textContent = "!";
      flag.title = "standard error";
      row.append(flag);
    }
    row.append(styled(line.text));
    return row;
  }
}

localTimes(document);
if (document.body.dataset.live) follow(document.body.dataset.live);
const log = document.getElementById("log");
if (log) new LogPanel(log);
