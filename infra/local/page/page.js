// The page of the local run. It polls GET /sandbox/state, draws what changed, and posts what people do.
// Text from the state only ever becomes text nodes: what people write may carry markup.

let state;
let me;
/** What `me` looks at: a channel's id, `dm` or `home`. */
let place;

const $ = (selector) => document.querySelector(selector);

/** A DOM node. Attributes starting with `on` are listeners; `false` and null ones are left out. */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

/**
 * Makes `parent` show `items` in order. Only those that changed are built anew, with `build(item, old)`,
 * so that focus, open selects and typed text stay; the focus moves to the same button of the new node.
 */
function keep(parent, items, key, build, nothing) {
  if (!items.length && nothing) [items, key, build] = [[nothing], String, (text) => h("li", { class: "empty" }, text)];
  const old = new Map([...parent.children].map((node) => [node.key, node]));
  const keys = items.map(key);
  for (const [id, node] of old) if (!keys.includes(id)) node.remove();
  items.forEach((item, at) => {
    const face = JSON.stringify(item);
    let node = old.get(keys[at]);
    if (node?.face !== face) {
      const fresh = Object.assign(build(item, node), { key: keys[at], face });
      if (node) {
        const { activeElement } = document;
        const had = node.contains(activeElement) ? activeElement.dataset : undefined;
        node.replaceWith(fresh);
        const hook = had && ["block", "action", "test"].find((name) => had[name]);
        if (had) (hook && fresh.querySelector(`[data-${hook}="${CSS.escape(had[hook])}"]`) || fresh).focus();
      }
      node = fresh;
    }
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
}

// ---- names and times

const user = (id) => state.slack.users[id]?.name ?? id;
const login = (id) => state.okta.users[id]?.login ?? id;
const group = (id) => state.okta.groups[id]?.name ?? id;
const channelName = (id) => (state.slack.channels[id] ? `#${state.slack.channels[id].name}` : "direct messages");
const person = (id) => user(Object.keys(state.slack.users).find((slack) => state.slack.users[slack].okta === id) ?? login(id).split("@")[0]);
/** Whose request it is, and for what. */
function whom(id) {
  const request = state.requests.find((it) => it.id === id);
  return request ? `${user(request.requester)} · ${request.label}` : id;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

const clockTime = (at, seconds = true) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" });

function sameDay(a, b) {
  return a.toDateString() === b.toDateString();
}

/** An instant in the reader's zone; the day is said where it is not today. */
function time(at, seconds = true) {
  const date = new Date(at);
  const day = sameDay(date, new Date(state.now)) ? "" : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} `;
  return h("time", { datetime: date.toISOString(), title: date.toISOString() }, day + clockTime(date, seconds));
}

/** How far away an instant is; it is kept up to date by `tick`. */
function distance(at) {
  return h("small", { "data-at": at }, away(at));
}

function away(at) {
  const s = Math.round((new Date(at) - new Date(state.now)) / 1000);
  const size = Math.abs(s);
  const text = size < 90 ? `${size} s` : size < 5400 ? `${Math.round(size / 60)} min` : size < 172800 ? `${Math.round(size / 3600)} h` : `${Math.round(size / 86400)} days`;
  return s < 0 ? `${text} ago` : `in ${text}`;
}

// ---- Slack's markup

const EMOJI = {
  key: "🔑", lock: "🔒", unlock: "🔓", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", no_entry: "⛔", no_entry_sign: "🚫",
  warning: "⚠️", rotating_light: "🚨", hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️", alarm_clock: "⏰", bell: "🔔",
  wave: "👋", tada: "🎉", zap: "⚡", eyes: "👀", pray: "🙏", thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", point_right: "👉",
  bulb: "💡", memo: "📝", fire: "🔥", rocket: "🚀", robot_face: "🤖", busts_in_silhouette: "👥", bust_in_silhouette: "👤", shield: "🛡️",
  information_source: "ℹ️", question: "❓", exclamation: "❗", calendar: "📅", house: "🏠", sparkles: "✨", arrow_right: "➡️", link: "🔗",
};
const ENTITIES = { amp: "&", lt: "<", gt: ">" };
const entities = (text) => text.replace(/&(amp|lt|gt);/g, (_, name) => ENTITIES[name]);
const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (all, name) => (Object.hasOwn(EMOJI, name) ? EMOJI[name] : all));

const INLINE = [
  [/`([^`\n]+)`/y, (m) => h("code", {}, entities(m[1]))],
  [/<([^<>\n]+)>/y, (m) => reference(m[1])],
  [/&(?:amp|lt|gt);/y, (m) => entities(m[0])],
  [/:[a-z0-9_+-]+:/y, (m) => emoji(m[0])],
];
const STYLES = { "*": [/\*(\S|\S[^\n]*?\S)\*(?!\w)/y, "strong"], _: [/_(\S|\S[^\n]*?\S)_(?!\w)/y, "em"], "~": [/~(\S|\S[^\n]*?\S)~(?!\w)/y, "s"] };

/** What Slack makes of one line or a part of it. */
function inline(text) {
  const out = [];
  let plain = "";
  const add = (node) => (out.push(plain, node), (plain = ""));
  for (let at = 0; at < text.length; ) {
    const style = !/\w/.test(text[at - 1] ?? " ") && STYLES[text[at]];
    if (style) style[0].lastIndex = at;
    const styled = style && style[0].exec(text);
    if (styled) {
      add(h(style[1], {}, inline(styled[1])));
      at += styled[0].length;
      continue;
    }
    const found = INLINE.find(([pattern]) => ((pattern.lastIndex = at), pattern.test(text)));
    if (found) {
      found[0].lastIndex = at;
      const match = found[0].exec(text);
      add(found[1](match));
      at += match[0].length;
    } else plain += text[at++];
  }
  return [...out, plain];
}

/** What `<…>` stands for: a mention, a date or a link. */
function reference(inside) {
  const [target, ...rest] = inside.split("|");
  const label = rest.length ? entities(rest.join("|")) : undefined;
  const mention = (text) => h("span", { class: "mention", title: target }, text);
  if (target.startsWith("@")) return mention(`@${user(target.slice(1))}`);
  if (target.startsWith("#")) return mention(label ? `#${label}` : state.slack.channels[target.slice(1)] ? channelName(target.slice(1)) : target);
  if (target.startsWith("!subteam^")) return mention(label ?? `@${target.slice(9)}`);
  if (target.startsWith("!date^")) {
    const [, seconds, format] = target.split("^");
    const date = new Date(seconds * 1000);
    return isNaN(date) ? (label ?? inside) : h("time", { datetime: date.toISOString(), title: date.toISOString() }, slackDate(date, format ?? ""));
  }
  if (target.startsWith("!")) return mention(`@${label ?? target.slice(1)}`);
  const href = entities(target);
  if (!/^(https?:\/\/|mailto:)/i.test(href)) return label ?? href;
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, label ?? href.replace(/^mailto:/, ""));
}

function slackDate(date, format) {
  const day = (options) => date.toLocaleDateString([], options);
  const names = [["Today", 0], ["Yesterday", -1], ["Tomorrow", 1]];
  return format.replace(/\{(\w+)\}/g, (all, token) => {
    const today = new Date(state.now);
    const near = token.endsWith("_pretty") && names.find(([, off]) => sameDay(date, new Date(today.getFullYear(), today.getMonth(), today.getDate() + off)));
    if (near) return near[0];
    switch (token.replace("_pretty", "")) {
      case "date_num": return day({ year: "numeric", month: "2-digit", day: "2-digit" });
      case "date_short": return day({ year: "numeric", month: "short", day: "numeric" });
      case "date": return day({ year: "numeric", month: "long", day: "numeric" });
      case "date_long": return day({ weekday: "long", year: "numeric", month: "long", day: "numeric" });
      case "time": return clockTime(date, false);
      case "time_secs": return clockTime(date);
      case "ago": return away(date);
      default: return all;
    }
  });
}

/** A text with lines, quotes and code blocks. */
function mrkdwn(text) {
  return text.split(/```\n?([^]*?)```/).flatMap((part, at) => {
    if (at % 2) return h("pre", {}, entities(part));
    const out = [];
    for (const line of part.split("\n")) {
      const quoted = line.match(/^(?:>|&gt;) ?(.*)/);
      const last = out.at(-1);
      if (quoted && last?.tagName === "BLOCKQUOTE") last.append(h("br"), ...inline(quoted[1]));
      else if (quoted) out.push(h("blockquote", {}, inline(quoted[1])));
      else out.push(...(out.length && last?.tagName !== "BLOCKQUOTE" ? [h("br")] : []), ...inline(line));
    }
    return out;
  });
}

const textOf = (text) => (text?.type === "mrkdwn" ? mrkdwn(text.text) : emoji(text?.text ?? ""));

// ---- Block Kit

/** `blocks` as Slack draws them. `click(element, node, value)` is what their buttons do, none where they cannot. */
function drawBlocks(blocks, click, view) {
  return (Array.isArray(blocks) ? blocks : []).map((block) => {
    const beside = block.accessory && drawElement(block.accessory, click);
    switch (block.type) {
      case "section":
        return h("div", { class: "section" },
          h("div", {}, block.text && textOf(block.text), block.fields?.length > 0 && h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, textOf(field))))), beside);
      case "header": return h("h3", { class: "header" }, textOf(block.text));
      case "divider": return h("hr");
      case "context": return h("div", { class: "context" }, block.elements.map((it) => h("span", {}, it.type === "image" ? `[${it.alt_text}]` : textOf(it))));
      case "actions": return h("div", { class: "buttons" }, block.elements.map((it) => drawElement(it, click)));
      case "input": return drawInput(block, view);
      default: return h("p", { class: "soft" }, `[a block of type ${block.type}]`);
    }
  });
}

function drawElement(element, click) {
  const label = element.text ? textOf(element.text) : element.action_id;
  if (element.type === "button") {
    return h("button", { type: "button", class: element.style, disabled: !click, "data-action": element.action_id, onclick: ({ currentTarget }) => click(element, currentTarget) }, label);
  }
  if (!element.options) return h("span", { class: "soft" }, `[${element.type}]`);
  const onchange = ({ currentTarget }) => click(element, currentTarget, currentTarget.value);
  return h("select", { disabled: !click, "data-action": element.action_id, "aria-label": element.placeholder?.text ?? element.action_id, onchange }, h("option", { value: "" }, "…"), drawOptions(element.options, element.initial_option));
}

const drawOptions = (options, initial) => (options ?? []).map((it) =>
  h("option", { value: it.value, selected: it.value === initial?.value }, textOf(it.text), it.description && ` – ${it.description.text}`));

/** One thing that a form asks for. Its node with `data-block` holds the answer, see `answerOf`. */
function drawInput(block, view) {
  const { element } = block;
  const id = `${view.id}-${block.block_id}`;
  const attributes = {
    id, "data-block": block.block_id, "data-test": "input", "data-kind": element.type, placeholder: element.placeholder?.text,
    "aria-describedby": `${id}-hint ${id}-error`, "aria-required": !block.optional && "true", autocomplete: "off",
  };
  const value = element.initial_value ?? element.initial_date ?? "";
  const chooseNone = (initial) => (!initial || block.optional) && h("option", { value: "" }, element.placeholder?.text ?? "Choose…");
  const limits = { maxlength: element.max_length, minlength: element.min_length };
  let input;
  switch (element.type) {
    case "plain_text_input": input = element.multiline ? h("textarea", { ...attributes, ...limits, rows: 3 }, value) : h("input", { ...attributes, ...limits, value }); break;
    case "number_input": input = h("input", { ...attributes, type: "number", step: element.is_decimal_allowed ? "any" : 1, min: element.min_value, max: element.max_value, value }); break;
    case "datepicker": input = h("input", { ...attributes, type: "date", value }); break;
    case "static_select": input = h("select", attributes, chooseNone(element.initial_option), drawOptions(element.options, element.initial_option)); break;
    case "users_select":
      input = h("select", attributes, chooseNone(element.initial_user), Object.entries(state.slack.users).map(([key, it]) => h("option", { value: key, selected: key === element.initial_user }, it.name)));
      break;
    case "external_select": input = drawSearch(element, attributes, view); break;
    default: input = h("p", { class: "soft" }, `[an input of type ${element.type}]`);
  }
  return h("div", { class: "input" },
    h("label", { for: id }, textOf(block.label), block.optional && h("small", {}, " (optional)")), input,
    h("p", { id: `${id}-hint`, class: "soft" }, block.hint && textOf(block.hint)), h("p", { id: `${id}-error`, class: "error", "data-error": block.block_id, role: "alert" }));
}

/** A select whose options the app sends while one types. */
function drawSearch(element, attributes, view) {
  const acting = me;
  let asked = 0;
  let at = -1;
  const list = h("ul", { id: `${attributes.id}-list`, role: "listbox", hidden: true });
  const initial = element.initial_option;
  const input = h("input", { ...attributes, role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list.id, value: initial?.text.text, "data-value": initial?.value ?? "", "data-label": initial?.text.text ?? "" });
  const show = (open) => ((list.hidden = !open), input.setAttribute("aria-expanded", String(open)));
  const mark = (index) => {
    at = index;
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[at]?.id ?? "");
  };
  const choose = (item) => {
    input.dataset.value = item.dataset.option;
    input.dataset.label = input.value = item.textContent;
    show(false);
  };
  const ask = async (text) => {
    const mine = ++asked;
    try {
      const answer = await post("/sandbox/slack", { user: acting, type: { view_id: view.id, action_id: element.action_id, text }, wait: false });
      if (mine !== asked || document.activeElement !== input) return;
      list.replaceChildren(...answer.options.map((it, n) => h("li", { role: "option", id: `${list.id}-${n}`, "data-option": it.value }, textOf(it.text))));
      if (!answer.options.length) list.append(h("li", { "aria-disabled": "true" }, "No results"));
      show(true);
      mark(-1);
    } catch (error) {
      tell(error);
    }
  };
  let typing;
  const later = () => {
    clearTimeout(typing);
    typing = setTimeout(ask, 150, input.value);
  };
  input.addEventListener("input", () => ((input.dataset.value = input.dataset.label = ""), later()));
  input.addEventListener("focus", () => (input.select(), ask(input.dataset.value ? "" : input.value)));
  // What was typed but not chosen is no answer.
  input.addEventListener("blur", () => (show(false), (input.value = input.dataset.label)));
  input.addEventListener("keydown", (event) => {
    const options = list.querySelectorAll("[data-option]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) mark((at + step + options.length + (at < 0 && step < 0)) % options.length), show(true);
    else if (event.key === "Enter" && !list.hidden && options.length) choose(options[Math.max(at, 0)]);
    else if (event.key === "Escape" && !list.hidden) show(false), event.stopPropagation();
    else return;
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const item = event.target.closest("[data-option]");
    if (item) choose(item);
  });
  return h("div", { class: "combo" }, input, list);
}

const answerOf = (input) => (input.dataset.kind === "external_select" ? input.dataset.value : input.value);

/** Asks as the element's confirm dialog does; true at once where it has none. */
function confirmed({ confirm }) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const close = (yes) => (dialog.remove(), resolve(yes));
    const dialog = h("dialog", { "aria-labelledby": "confirm-title", "data-test": "confirm", oncancel: () => close(false) },
      h("h2", { id: "confirm-title" }, textOf(confirm.title)), h("div", { class: "blocks" }, h("p", {}, textOf(confirm.text))),
      h("div", { class: "buttons" },
        h("button", { "data-test": "confirm-no", onclick: () => close(false) }, textOf(confirm.deny)),
        h("button", { "data-test": "confirm-yes", class: confirm.style ?? "primary", onclick: () => close(true) }, textOf(confirm.confirm))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// ---- doing things

async function call(method, path, body) {
  const json = body !== undefined && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, { method, ...json });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(said.error ?? `${path} answered ${answer.status}`), { hint: said.hint });
  return said;
}

const post = (path, body) => call("POST", path, body);

/** Says `text` to whoever looks or listens, until they dismiss it or the next thing is said. */
function say(text, bad = false) {
  const box = $("#result");
  box.firstElementChild.textContent = text;
  box.classList.toggle("bad", bad);
  box.hidden = !text;
  clearTimeout(say.timer);
  if (!bad) say.timer = setTimeout(() => (box.hidden = true), 5000);
}

const tell = (error) => say([error.message, error.hint].filter(Boolean).join("\n"), true);

/** Does `work` for the control `node`, which shows that it is under way; what goes wrong is told. */
async function doing(node, work) {
  node?.setAttribute("aria-busy", "true");
  const watch = setTimeout(refresh, 150);
  try {
    return await work();
  } catch (error) {
    tell(error);
    return undefined;
  } finally {
    clearTimeout(watch);
    node?.removeAttribute("aria-busy");
    refresh();
  }
}

/** Acts in Slack as `acting`, and tells what only a person at the screen would see. */
const act = (node, action, acting = me) => doing(node, async () => {
  const answer = await post("/sandbox/slack", { user: acting, ...action });
  const trouble = answer.errors?.[""] ?? (answer.status >= 300 && `the app answered ${answer.status}`);
  const heard = answer.ephemerals.map((it) => `Only visible to ${user(acting)} in ${channelName(it.channel)}: ${entities(it.text)}`);
  say(trouble || heard.join("\n"), Boolean(trouble));
  return answer;
});

const okta = (node, body, done) => doing(node, async () => (await post("/sandbox/okta", body), say(done)));

/** What a button in `where` (a message or a view) does, where all of its blocks are `blocks`; who acts is `acting`, or `me` at the time of the click. */
const clicker = (where, blocks, acting) => async (element, node, value) => {
  const all = (blocks ?? []).flatMap((block) => [...(block.elements ?? []), block.accessory ?? {}]);
  const isTwin = element.type === "button" && all.filter((it) => it.action_id === element.action_id).length > 1;
  // A list in a view has one button of the same name in every row: its value says which is meant.
  const which = isTwin ? { force: true, value: element.value } : { value };
  if (value === "" || !(await confirmed(element))) return;
  const { force, value: sent } = which;
  await act(node, { click: { ...where, action_id: element.action_id, value: sent }, force }, acting);
};

// ---- Slack

/** For each person the private messages they got, each with the message below which it was first seen. */
const privately = {};
/** The last message that was looked at, by person and place. */
const read = {};
const rootOf = (message) => message.thread_ts ?? message.ts;

function messagesOf(where, who = me) {
  return (where === "dm" ? state.slack.dms[who]?.messages : state.slack.channels[where]?.messages) ?? [];
}

/** Private messages have no timestamp, and only the last ones are kept: what is new is at the end. */
function noteEphemerals() {
  for (const [who, now] of Object.entries(state.slack.ephemerals)) {
    const known = (privately[who] ??= []);
    const faces = now.map((it) => JSON.stringify(it));
    const same = (skip) => known.slice(skip).every((it, at) => it.face === faces[at]);
    let skip = 0;
    while (!same(skip)) skip += 1;
    known.splice(0, skip);
    for (const [at, face] of faces.entries()) {
      if (at < known.length) continue;
      const where = now[at].channel === state.slack.dms[who]?.channel ? "dm" : now[at].channel;
      const after = messagesOf(where, who).map(rootOf).sort().at(-1) ?? "";
      noteEphemerals.count = (noteEphemerals.count ?? 100000) + 1;
      known.push({ ...now[at], face, where, after, number: noteEphemerals.count, at: noteEphemerals.started && state.now });
    }
  }
  noteEphemerals.started = true;
}

function drawPeople() {
  keep($("#people div"), Object.entries(state.slack.users), ([id]) => id, ([id, it]) =>
    h("label", { class: "person", "data-person": id },
      h("input", { type: "radio", name: "person", value: id, checked: id === me, "data-test": "person", onchange: () => go(id, place) }),
      h("span", { class: `avatar tone${Object.keys(state.slack.users).indexOf(id) % 6}`, "aria-hidden": "true" }, it.name.slice(0, 1)),
      h("span", {}, it.name, it.kind !== "member" && h("small", {}, ` ${it.kind}`))));
  const { name, kind, email, okta } = state.slack.users[me];
  const inOkta = okta ? `Okta ${okta} (${state.okta.users[okta]?.status ?? "unknown"})` : "no Okta user of their own";
  $("#whoami").textContent = `${name} · ${me} · ${kind} · ${email ?? "no e-mail"} · ${inOkta}`;
}

function drawPlaces() {
  const last = (where, who = me) => messagesOf(where, who).at(-1)?.ts ?? "";
  const channels = Object.entries(state.slack.channels).map(([id, it]) => ({ id, label: `# ${it.name}` }));
  const rows = [{ title: "Channels" }, ...channels, { title: "App" }, { id: "dm", label: "⏳ Stint" }, { id: "home", label: "🏠 App Home" }];
  for (const row of rows.filter((it) => it.id)) {
    row.current = row.id === place;
    for (const who of Object.keys(state.slack.users)) read[`${who}/${row.id}`] ??= last(row.id, who);
    if (row.current) read[`${me}/${row.id}`] = last(row.id);
    row.unread = last(row.id) > read[`${me}/${row.id}`];
  }
  keep($("#places"), rows, (row) => row.id ?? row.title, ({ id, title, label, current, unread }) => title
    ? h("h3", {}, title)
    : h("button", { "data-place": id, "data-test": "place", "aria-current": current && "page", class: unread && "unread", onclick: () => go(me, id) }, label, unread && " •"));
}

function drawFeed() {
  const title = place === "dm" ? `Stint · direct messages of ${user(me)}` : place === "home" ? `App Home of ${user(me)}` : channelName(place);
  if ($("#where").textContent !== title) $("#where").textContent = title;
  $("#compose").hidden = place === "home";
  const feed = $("#feed");
  const atEnd = feed.dataset.of !== title || feed.scrollHeight - feed.scrollTop - feed.clientHeight < 40;
  feed.dataset.of = title;
  const today = new Date(state.now).toDateString();
  let items;
  if (place === "home") {
    items = [{ id: `${me}-home`, view: state.slack.homes[me], today }];
  } else {
    const channel = place === "dm" ? state.slack.dms[me]?.channel : place;
    const said = messagesOf(place).map((message) => ({ id: `${channel} ${rootOf(message)} ${message.ts}`, channel, message, today }));
    const hushed = (privately[me] ?? []).filter((it) => it.where === place && !it.gone).map((it) => ({ id: `${channel} ${it.after} ~${it.number}`, hushed: it, today }));
    items = [...said, ...hushed].sort((a, b) => (a.id < b.id ? -1 : 1));
  }
  keep(feed, items, (it) => it.id, (it) => (it.message ? drawMessage(it) : it.hushed ? drawEphemeral(it.hushed) : drawHome(it.view)));
  if (!items.length) feed.replaceChildren(h("p", { class: "empty" }, "No messages yet."));
  if (atEnd && feed.scrollTop + feed.clientHeight < feed.scrollHeight - 1) feed.scrollTop = place === "home" ? 0 : feed.scrollHeight;
}

const messageHead = (at, note, more) => h("div", { class: "head" }, h("strong", {}, "Stint"), " ", h("span", { class: "badge" }, "APP"), " ", at && time(at, false), note && h("span", { class: "note" }, ` ${note} `), more);
const appFace = () => h("span", { class: "avatar", "aria-hidden": "true" }, "⏳");

function drawMessage({ channel, message }) {
  const { ts, thread_ts, text, blocks } = message;
  const isReply = thread_ts && thread_ts !== ts;
  const body = blocks?.length ? drawBlocks(blocks, clicker({ channel, ts }, blocks)) : h("div", {}, mrkdwn(text));
  return h("article", { class: `message${isReply ? " reply" : ""}`, tabindex: -1, "data-test": "message", "data-ts": ts, "data-channel": channel, "aria-label": entities(text) },
    appFace(), h("div", {}, messageHead(ts * 1000, isReply && "in a thread"), h("div", { class: "blocks" }, body)));
}

function drawEphemeral(it) {
  const dismiss = h("button", { class: "small", onclick: () => ((it.gone = privately[me].find(({ number }) => number === it.number).gone = true), drawFeed()) }, "Dismiss");
  // They have no timestamp in the state, so their buttons cannot be addressed.
  const body = it.blocks?.length ? drawBlocks(it.blocks) : h("div", {}, mrkdwn(it.text));
  return h("article", { class: "message private", tabindex: -1, "data-test": "ephemeral" },
    appFace(), h("div", {}, messageHead(it.at, "· only visible to you", dismiss), h("div", { class: "blocks" }, body)));
}

function drawHome(view) {
  const body = view ? drawBlocks(view.blocks, clicker({ view_id: view.id }, view.blocks), view) : h("p", { class: "soft" }, "The app has published nothing here yet.");
  return h("div", { class: "home blocks", tabindex: -1, "data-test": "home" }, body);
}

/** The top view of everybody, of which only that of `me` is seen: so a form half filled in is not lost. */
function drawForms() {
  const open = Object.entries(state.slack.views).filter(([, views]) => views.length).map(([who, views]) => ({ who, view: views.at(-1) }));
  const before = new Set($("#forms").children);
  const hadFocus = $("#forms").contains(document.activeElement);
  keep($("#forms"), open, ({ who, view }) => `${who} ${view.id}`, drawForm);
  for (const form of $("#forms").children) form.hidden = form.dataset.person !== me;
  const mine = [...$("#forms").children].find((form) => !form.hidden);
  $("#room").inert = $("#places").inert = Boolean(mine);
  const isFree = document.activeElement === document.body || $("#slack").contains(document.activeElement);
  if (mine && isFree && (!before.has(mine) || mine !== drawForms.shown) && !mine.contains(document.activeElement)) (mine.querySelector("[data-block]") ?? mine).focus();
  if (!mine && (hadFocus || drawForms.shown) && document.activeElement === document.body) $("#command").focus();
  drawForms.shown = mine;
}

function drawForm({ who, view }, old) {
  const close = () => act(null, { close: { view_id: view.id } }, who);
  const submit = async (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    const values = Object.fromEntries([...form.querySelectorAll("[data-block]")].map((input) => [input.dataset.block, answerOf(input)]));
    const answer = await act(form.querySelector("[data-test=submit]"), { submit: { view_id: view.id, values } }, who);
    delete form.dataset.busy;
    showErrors(form, answer?.errors ?? {});
  };
  const form = h("form", { class: "form", role: "dialog", "aria-label": view.title?.text, novalidate: true, tabindex: -1, "data-test": "form", "data-person": who, "data-view": view.id, onsubmit: submit, onkeydown: (event) => event.key === "Escape" && close() },
    h("h2", {}, textOf(view.title), h("button", { type: "button", "aria-label": "Close", class: "small", onclick: close }, "✕")),
    h("div", { class: "blocks" }, drawBlocks(view.blocks, clicker({ view_id: view.id }, view.blocks, who), view)),
    h("div", { class: "buttons" },
      h("button", { type: "button", "data-test": "close", onclick: close }, view.close ? textOf(view.close) : "Cancel"),
      view.submit && h("button", { class: "primary", "data-test": "submit" }, textOf(view.submit))));
  // The app drew the view anew: what was typed stays, as in Slack.
  for (const was of old?.querySelectorAll("[data-block]") ?? []) {
    const input = form.querySelector(`[data-block="${CSS.escape(was.dataset.block)}"][data-kind="${was.dataset.kind}"]`);
    if (!input || (input.options && ![...input.options].some((it) => it.value === was.value))) continue;
    input.value = was.value;
    if (was.dataset.label != null) Object.assign(input.dataset, { value: was.dataset.value, label: was.dataset.label });
  }
  return form;
}

function showErrors(form, errors) {
  for (const place of form.querySelectorAll("[data-error]")) place.textContent = errors[place.dataset.error] ?? "";
  for (const input of form.querySelectorAll("[data-block]")) input.setAttribute("aria-invalid", String(input.dataset.block in errors));
  form.querySelector("[aria-invalid=true]")?.focus();
}

// ---- Okta

const GOOD = { ACTIVE: "good", active: "good", pending: "busy", approved: "busy", escalating: "busy", deescalating: "busy", failed: "bad", denied: "bad", DEPROVISIONED: "bad", SUSPENDED: "bad" };
const badge = (text) => h("span", { class: `badge ${GOOD[text] ?? ""}`, "data-state": text }, text);

function drawOkta() {
  const { groups, users, calls } = state.okta;
  const names = Object.keys(users).map((id) => [id, login(id)]);
  // Okta's own group of everybody is the longest and tells the least.
  const listed = Object.entries(groups).map(([id, { members: _, ...it }]) => ({ id, ...it, names })).sort((a, b) => (a.type === "BUILT_IN") - (b.type === "BUILT_IN"));
  keep($("#groups"), listed, (it) => it.id, drawGroup);
  for (const card of $("#groups").children) {
    const id = card.dataset.group;
    const held = (member) => state.memberships.some((it) => it.okta_user === member && it.group_id === id && it.ours && it.holders.length > 0);
    const members = groups[id].members.map((member) => ({ member, name: person(member), held: held(member) }));
    keep(card.querySelector(".members"), members, (it) => it.member, ({ member, name, held }) =>
      h("li", { "data-user": member, "data-test": "member", class: held && "held", title: held ? "through Stint" : "not through Stint" }, name, held && " ⏳",
        h("button", { title: `Remove ${name} by hand`, "aria-label": `Remove ${name} from ${groups[id].name}`, "data-test": "remove", onclick: (event) => okta(event.currentTarget, { group: id, remove: member }, `${name} was removed by hand`) }, "✕")), "nobody");
  }
  keep($("#users"), Object.entries(users), ([id]) => id, ([id, it]) => {
    const status = it.status === "ACTIVE" ? "DEPROVISIONED" : "ACTIVE";
    return h("li", { "data-user": id, "data-test": "user" }, h("span", { class: "grow", title: id }, it.login), badge(it.status),
      h("button", { class: "small", "data-test": "status", "aria-label": `${it.status === "ACTIVE" ? "Deactivate" : "Activate"} ${it.login}`, onclick: (event) => okta(event.currentTarget, { user: id, status }, `${it.login} is ${status} now`) }, it.status === "ACTIVE" ? "Deactivate" : "Activate"));
  });
  keep($("#calls"), calls.slice(-60).map((it, at, all) => ({ ...it, twin: all.slice(0, at).filter((other) => other.at === it.at).length })).reverse(), (it) => `${it.at} ${it.twin}`, ({ at, method, path, status }) =>
    h("li", {}, time(at), h("span", { class: "grow" }, `${method} ${path}`), h("span", { class: `badge ${status < 300 ? "good" : "bad"}` }, String(status ?? "lost"))), "No call yet.");
}

function drawGroup({ id, name, type, rules, admin_roles, names }) {
  const select = h("select", { "aria-label": `Somebody to add to ${name}`, "data-test": "add-user" }, names.map(([user, text]) => h("option", { value: user }, text.split("@")[0])));
  const onsubmit = (event) => {
    event.preventDefault();
    okta(event.submitter, { group: id, add: select.value }, `${login(select.value)} was added by hand`);
  };
  return h("li", { "data-group": id, "data-test": "group" },
    h("h4", { title: id }, name, h("span", { class: `badge ${type === "OKTA_GROUP" ? "" : "busy"}` }, type)),
    rules?.length > 0 && h("p", { class: "soft" }, `managed by rules: ${rules.join(", ")}`),
    admin_roles?.length > 0 && h("p", { class: "soft" }, `admin roles: ${admin_roles.join(", ")}`),
    h("div", { class: "row" }, h("ul", { class: "members", "aria-label": `Members of ${name}` }),
      h("form", { class: "add", title: "as an administrator, by hand", onsubmit }, select, h("button", { "data-test": "add" }, "Add"))));
}

// ---- the record

function drawRecord() {
  const { requests, memberships, schedules, handoffs, audit, faults } = state;
  const latest = requests.toSorted((a, b) => (a.requested_at < b.requested_at ? 1 : -1));
  keep($("#requests"), latest, (it) => it.id, (it) =>
    h("li", { "data-request": it.id, "data-test": "request", title: it.id },
      h("h4", {}, badge(it.state), `${user(it.requester)} → ${it.label}`, it.why && h("small", {}, it.why)),
      h("p", {}, h("em", {}, it.reason), h("small", {}, ` · ${plural(Math.round(it.duration_s / 60), "minute")}${it.extends ? " · extends another" : ""}`)),
      it.approvals?.length > 0 && h("p", { class: "soft" }, `approved by ${it.approvals.map((yes) => user(yes.user)).join(", ")}`),
      it.ends_at && h("p", {}, "ends ", time(it.ends_at), " ", distance(it.ends_at)),
      it.due_at && it.due_at !== it.ends_at && h("p", { class: "soft" }, "due ", time(it.due_at), " ", distance(it.due_at))), "Nobody has asked for anything.");
  const entries = audit.map((it, number) => ({ ...it, number })).sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.number - a.number)).slice(0, 200);
  keep($("#timeline"), entries.map((it) => ({ ...it, number: undefined })), (it) => `${it.id} ${it.at} ${it.step}`, (it) =>
    h("li", { "data-step": it.step, title: it.id }, time(it.at),
      h("span", { class: "grow" }, h("strong", {}, it.step), ` ${whom(it.request)}`,
        h("br"), h("small", {}, [it.from ? `${it.from} → ${it.to}` : it.to, `by ${it.actor.function ?? user(it.actor.slack)}`, it.why, it.policy?.length && `policy ${it.policy.join(", ")}`, it.error].filter(Boolean).join(" · ")))), "Nothing has happened.");
  keep($("#memberships"), memberships, (it) => `${it.okta_user} ${it.group_id}`, (it) =>
    h("li", { "data-test": "membership" }, h("span", { class: "grow" }, `${person(it.okta_user)} in ${group(it.group_id)}`), badge(it.ours ? "ours" : "not ours"),
      h("small", { title: it.holders.join("\n") }, plural(it.holders.length, "holder")), it.under_way.length > 0 && h("small", {}, `under way: ${it.under_way.map((call) => call.kind).join(", ")}`)), "None.");
  keep($("#schedules"), schedules, (it) => it.name, (it) => h("li", { title: it.name }, time(it.at), h("span", { class: "grow" }, whom(it.request)), distance(it.at)), "No schedule.");
  const lines = [`${plural(handoffs.waiting, "hand-off")} waiting, ${handoffs.failed.length} failed`, ...handoffs.failed.map((it) => `failed: ${typeof it === "string" ? it : JSON.stringify(it)}`)];
  keep($("#handoffs"), lines.map((text, at) => ({ text, at })), (it) => it.at, ({ text, at }) => h("li", { class: at ? "error" : "soft" }, text));
  keep($("#broken"), faults, (it) => it.id, (it) =>
    h("li", { "data-fault": it.id }, h("span", { class: "grow" }, `${it.system} `, h("code", {}, it.match), ` ${faultDoes(it)}`), h("small", {}, it.left == null ? "until removed" : `${plural(it.left, "call")} left`),
      h("button", { class: "small", "data-test": "fault-remove", onclick: (event) => doing(event.currentTarget, () => call("DELETE", `/sandbox/faults/${encodeURIComponent(it.id)}`)) }, "Remove")), "Nothing is broken.");
  $("#mend").hidden = !faults.length;
}

const faultDoes = (it) => [it.status && `answers ${it.status}`, it.latency_ms > 0 && `after ${it.latency_ms / 1000} s`, it.drop && `lost ${it.drop} it takes effect`].filter(Boolean).join(", ");

// ---- clock and faults

function tick() {
  const now = new Date(state.now);
  $("#now").textContent = `${now.toLocaleDateString([], { weekday: "short", month: "short", day: "numeric" })} ${clockTime(now)}`;
  $("#now").title = state.now;
  $("#now").classList.toggle("frozen", state.frozen);
  $("[data-freeze=true]").setAttribute("aria-pressed", String(Boolean(state.frozen)));
  $("#has-secret").textContent = state.secret;
  $("#idle").textContent = state.idle ? "idle" : "at work";
  $("#idle").className = `badge ${state.idle ? "" : "busy"}`;
  for (const node of document.querySelectorAll("[data-at]")) if (node.textContent !== away(node.dataset.at)) node.textContent = away(node.dataset.at);
}

const advance = (node, seconds) => doing(node, async () => {
  const { now, fired, sweeps } = await post("/sandbox/clock", { advance_s: seconds });
  const what = fired.length ? fired.map((name) => whom(name.replace(/-\d+$/, ""))).join(", ") : "no schedule";
  $("#fired").textContent = $("#fired").title = `Moved to ${clockTime(new Date(now))}. Fired: ${what}. ${plural(sweeps, "sweep")}.`;
});

const inSeconds = (seconds) => String(Math.floor(new Date(state.now) / 1000) + seconds);
const SLACK_METHODS = ["chat.postMessage", "chat.update", "chat.postEphemeral", "conversations.open", "users.info", "views.open", "views.update", "views.publish"];
const PRESETS = {
  "Okta 429": () => [{ system: "okta", match: "PUT /api/v1/groups", status: 429, headers: { "X-Rate-Limit-Limit": "50", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": inSeconds(30) } }],
  "Okta 500 on add": () => [{ system: "okta", match: "PUT /api/v1/groups", status: 500 }],
  "Okta 500 on remove": () => [{ system: "okta", match: "DELETE /api/v1/groups", status: 500 }],
  "Okta hangs": () => [{ system: "okta", match: "PUT /api/v1/groups", latency_ms: 15000 }],
  "Okta loses the answer of a PUT": () => [{ system: "okta", match: "PUT /api/v1/groups", drop: "after" }],
  "Slack down": () => SLACK_METHODS.map((match) => ({ system: "slack", match, status: 503 })),
  "DynamoDB transaction fails": () => [{ system: "aws", match: "DynamoDB.TransactWriteItems", status: 500 }],
  "Schedule call fails": () => [{ system: "aws", match: "Scheduler.CreateSchedule", status: 500 }],
};

function listen() {
  const onSubmit = (selector, work) => $(selector).addEventListener("submit", (event) => (event.preventDefault(), work(event.submitter)));
  const onClick = (selector, work) => document.querySelectorAll(selector).forEach((node) => node.addEventListener("click", () => work(node)));
  onSubmit("#compose", async (node) => {
    const command = $("#command").value.trim();
    if (!command) return;
    const answer = await act(node, { command, channel: place === "dm" ? state.slack.dms[me].channel : place });
    if (answer && $("#command").value.trim() === command) $("#command").value = "";
  });
  onClick("#shortcut", (node) => act(node, { shortcut: "request" }));
  onClick("#result button", () => say(""));
  onClick("[data-advance]", (node) => advance(node, Number(node.dataset.advance)));
  onSubmit("#advance", (node) => advance(node, $("#advance input").valueAsNumber));
  onClick("[data-freeze]", (node) => doing(node, () => post("/sandbox/clock", { freeze: node.dataset.freeze === "true" })));
  onClick("[data-credential]", (node) => okta(node, { credential: node.dataset.credential }, `Okta's credential: ${node.textContent}`));
  const secret = (node, okta_api_token, done) => doing(node, async () => (await post("/sandbox/secret", okta_api_token), say(done)));
  onSubmit("#secret", (node) => secret(node, { okta_api_token: $("#secret input").value }, "the Okta secret was set"));
  onClick("[data-test=secret-empty]", (node) => secret(node, null, "the Okta secret is empty"));
  const breaks = (node, faults) => doing(node, async () => { for (const fault of faults) await post("/sandbox/faults", fault); });
  $("#presets").append(...Object.entries(PRESETS).map(([name, faults]) =>
    h("button", { "data-test": "preset", "data-preset": name, onclick: (event) => breaks(event.currentTarget, faults().map((it) => ({ ...it, times: $("#times").valueAsNumber || 0 }))) }, name)));
  onSubmit("#custom", (node) => doing(node, () => breaks(node, [parsed($("#fault").value)])));
  onClick("#mend", (node) => doing(node, () => call("DELETE", "/sandbox/faults")));
  addEventListener("popstate", () => { if (state) enter(), draw(); });
  document.addEventListener("visibilitychange", refresh);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Object.assign(new Error(`the fault is not JSON: ${error.message}`), { hint: 'such as {"system": "slack", "match": "chat.update", "status": 503}' });
  }
}

// ---- where one is, and the state of things

/** Acts as `who` and looks at `where`; the address keeps both. */
function go(who, where) {
  history.pushState(null, "", `#${who}/${where}`);
  enter();
  draw();
}

/** Reads who acts and what they look at from the address. */
function enter() {
  const [who, where] = decodeURIComponent(location.hash.slice(1)).split("/");
  const before = `${me}/${place}`;
  me = who in state.slack.users ? who : Object.keys(state.slack.users)[0];
  const isPlace = where in state.slack.channels || where === "dm" || where === "home";
  place = isPlace ? where : Object.keys(state.slack.channels)[0];
  for (const radio of document.querySelectorAll("[name=person]")) radio.checked = radio.value === me;
  if (place === "home" && before !== `${me}/${place}`) act(null, { open_home: true });
}

function draw() {
  noteEphemerals();
  for (const part of [drawPeople, drawPlaces, drawFeed, drawForms, drawOkta, drawRecord, tick]) part();
}

/** Reads the state and draws it; what asks meanwhile is answered by one more reading. */
async function refresh() {
  if (refresh.busy) return void (refresh.again = true);
  refresh.busy = true;
  clearTimeout(refresh.next);
  try {
    state = await call("GET", "/sandbox/state");
    if (!me) enter();
    draw();
    if (refresh.lost) say("The local run answers again.");
    refresh.lost = false;
  } catch (error) {
    // A broken connection has no hint of its own.
    if (error instanceof TypeError && /fetch/i.test(error.message)) {
      if (!refresh.lost) say("the local run does not answer\nstart it again with `cargo local`", true);
      refresh.lost = true;
    } else {
      console.error(error);
      tell(error);
    }
  }
  refresh.busy = false;
  if (refresh.again) return void ((refresh.again = false), refresh());
  if (!document.hidden) refresh.next = setTimeout(refresh, 1000);
}

listen();
refresh();
