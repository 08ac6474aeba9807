// The page of the local run. It polls GET /sandbox/state, draws what changed, and posts what people do.
// Text from the state only ever becomes text nodes: what people write may carry markup.

let state;
let me;
/** What `me` looks at: a channel's id, `dm` or `home`. */
let place;
/** What was drawn anew because something happened, to be lit up. */
const fresh = new Set();

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
 * so that focus, open lists and typed text stay; the focus moves to the same control of the new node.
 * What is built while `parent` shows the same `scene` as before is news.
 */
function keep(parent, items, key, build, { nothing, scene = "" } = {}) {
  if (!items.length && nothing) [items, key, build] = [[nothing], String, (text) => h("li", { class: "empty" }, text)];
  const old = new Map([...parent.children].map((node) => [node.key, node]));
  const keys = items.map(key);
  for (const [id, node] of old) if (!keys.includes(id)) node.remove();
  items.forEach((item, at) => {
    const face = JSON.stringify(item);
    let node = old.get(keys[at]);
    if (node?.face !== face) {
      const built = Object.assign(build(item, node), { key: keys[at], face, item });
      if (parent.scene === scene && item !== nothing) fresh.add(built);
      if (node) {
        const focus = focusIn(node);
        node.replaceWith(built);
        focus?.(built);
      }
      node = built;
    }
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
  parent.scene = scene;
}

/** If `node` has the focus, what gives it to the same control of the node that takes its place. */
function focusIn(node) {
  const had = document.activeElement;
  if (!node.contains(had)) return undefined;
  const hook = ["block", "action", "test"].find((name) => had.dataset[name]);
  const isOpen = had.getAttribute("aria-expanded") === "true";
  const { selectionStart, selectionEnd } = had;
  return (built) => {
    const twins = hook ? [...built.querySelectorAll(`[data-${hook}="${CSS.escape(had.dataset[hook])}"]`)] : [];
    const next = twins.find((twin) => twin.value === had.value) ?? twins[0] ?? built;
    next.focus();
    if (isOpen) next.click();
    else if (selectionStart != null && next.selectionStart != null) next.setSelectionRange(selectionStart, selectionEnd);
  };
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

const plural = (count, noun, many = `${noun}s`) => `${count} ${count === 1 ? noun : many}`;

const clockTime = (at, seconds = true) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" });

function sameDay(a, b) {
  return a.toDateString() === b.toDateString();
}

/** An instant in the reader's zone; the day is said where it is not today, see `tick`. */
function time(at, seconds = true) {
  const date = new Date(at);
  return h("time", { datetime: date.toISOString(), title: date.toISOString(), "data-time": seconds ? "seconds" : "minutes" }, timeText(date, seconds));
}

function timeText(date, seconds) {
  const day = sameDay(date, new Date(state.now)) ? "" : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} `;
  return day + clockTime(date, seconds);
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
  const mention = (text) => h("span", { class: `mention${target === `@${me}` ? " me" : ""}`, title: target }, text);
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

/** The same without any markup, for where there is none. */
const spoken = (text) => h("div", {}, mrkdwn(text ?? "")).textContent;

const textOf = (text) => (text?.type === "mrkdwn" ? mrkdwn(text.text) : emoji(text?.text ?? ""));

// ---- Block Kit

/** `blocks` as Slack draws them. `click(element, node, value)` is what their buttons do, none where they cannot. */
const drawBlocks = (blocks, click) => (Array.isArray(blocks) ? blocks : []).map((block) => drawBlock(block, click));

function drawBlock(block, click, view) {
  switch (block.type) {
    case "section":
      return h("div", { class: "section" },
        h("div", {}, block.text && textOf(block.text), block.fields?.length > 0 && h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, textOf(field))))),
        block.accessory && drawElement(block.accessory, click));
    case "header": return h("h4", { class: "header" }, textOf(block.text));
    case "divider": return h("hr");
    case "context": return h("div", { class: "context" }, block.elements.map((it) => h("span", {}, it.type === "image" ? `[${it.alt_text}]` : textOf(it))));
    case "actions": return h("div", { class: "buttons" }, block.elements.map((it) => drawElement(it, click)));
    case "input": return drawInput(block, click, view);
    default: return h("p", { class: "soft" }, `[a block of type ${block.type}]`);
  }
}

function drawElement(element, click) {
  const label = element.text ? textOf(element.text) : element.action_id;
  if (element.type === "button") {
    return h("button", { type: "button", class: element.style, disabled: !click, value: element.value, "data-action": element.action_id, "aria-label": element.accessibility_label, onclick: ({ currentTarget }) => click(element, currentTarget) }, label);
  }
  if (!element.options) return h("span", { class: "soft" }, `[${element.type}]`);
  const onchange = ({ currentTarget }) => click(element, currentTarget, currentTarget.value);
  const options = element.options.map((it) => h("option", { value: it.value, selected: it.value === element.initial_option?.value }, textOf(it.text)));
  return h("select", { disabled: !click, "data-action": element.action_id, "aria-label": element.placeholder?.text ?? element.action_id, onchange }, h("option", { value: "" }, "…"), options);
}

/** One thing that a form asks for. Its node with `data-block` holds the answer, see `answerOf`. */
function drawInput(block, click, view) {
  const { element } = block;
  const id = `${view.id}-${block.block_id}`;
  const attributes = {
    id, "data-block": block.block_id, "data-test": "input", "data-kind": element.type, placeholder: emoji(element.placeholder?.text ?? ""),
    "aria-describedby": `${block.hint ? `${id}-hint ` : ""}${id}-error`, "aria-required": !block.optional && "true", autocomplete: "off",
  };
  const held = heldIn(view, block);
  const value = held ? (held.value ?? held.selected_date ?? "") : (element.initial_value ?? element.initial_date ?? "");
  const option = asChoice(held ? held.selected_option : element.initial_option);
  const limits = { maxlength: element.max_length, minlength: element.min_length };
  // Whoever chooses there sends a click at once.
  const chosen = block.dispatch_action ? (node, value) => click(element, node, value) : () => {};
  let input;
  switch (element.type) {
    case "plain_text_input": input = element.multiline ? h("textarea", { ...attributes, ...limits, rows: 3 }, value) : h("input", { ...attributes, ...limits, value }); break;
    case "number_input": input = h("input", { ...attributes, type: "number", step: element.is_decimal_allowed ? "any" : 1, min: element.min_value, max: element.max_value, value }); break;
    case "datepicker": input = h("input", { ...attributes, type: "date", value, onchange: ({ currentTarget }) => chosen(currentTarget, currentTarget.value) }); break;
    case "static_select": input = drawChoice(attributes, option, near((element.options ?? []).map(asChoice)), chosen); break;
    case "users_select": {
      const people = Object.entries(state.slack.users).map(([value, it]) => ({ value, label: it.name, about: it.email }));
      const user = held ? held.selected_user : element.initial_user;
      input = drawChoice(attributes, people.find((it) => it.value === user), near(people), chosen);
      break;
    }
    case "external_select": {
      const far = async (text) => (await post("/sandbox/slack", { user: view.who, type: { view_id: view.id, action_id: element.action_id, text }, wait: false })).options.map(asChoice);
      input = drawChoice(attributes, option, far, chosen);
      break;
    }
    default: input = h("p", { class: "soft" }, `[an input of type ${element.type}]`);
  }
  return h("div", { class: "input" },
    h("label", { for: id }, textOf(block.label), block.optional && h("small", {}, " (optional)")), input,
    block.hint && h("p", { id: `${id}-hint`, class: "soft" }, textOf(block.hint)), h("p", { id: `${id}-error`, class: "error", "data-error": block.block_id, role: "alert" }));
}

/** What is filled in in the input `block`, as far as Slack was told. */
const heldIn = (view, block) => state.slack.views[view.who]?.find((it) => it.id === view.id)?.state?.values?.[block.block_id]?.[block.element.action_id];

const asChoice = (option) => option && { value: option.value, label: emoji(option.text.text), about: option.description && emoji(option.description.text) };
/** Finds among `choices`, which are all here. */
const near = (choices) => (text) => choices.filter((it) => it.label.toLowerCase().includes(text.trim().toLowerCase()));

/** A menu that is searched while one types. `find(text)` gives the choices, `chosen(node, value)` hears of the one. */
function drawChoice(attributes, initial, find, chosen) {
  let asked = 0;
  let at = -1;
  const list = h("ul", { id: `${attributes.id}-list`, role: "listbox", popover: "manual", "aria-label": "Choices" });
  const input = h("input", {
    ...attributes, placeholder: attributes.placeholder || "Choose an option", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list.id, spellcheck: "false",
    value: initial?.label, "data-value": initial?.value ?? "", "data-label": initial?.label ?? "",
  });
  const isOpen = () => input.getAttribute("aria-expanded") === "true";
  const show = (open) => {
    if (isOpen() !== open) list.togglePopover(open);
    input.setAttribute("aria-expanded", String(open));
    if (!open) return void input.removeAttribute("aria-activedescendant");
    // Below the field, or above it where that has more room.
    const field = input.getBoundingClientRect();
    const below = innerHeight - field.bottom - 12;
    const isAbove = below < Math.min(list.scrollHeight, 240) && field.top > below;
    const room = Math.min(isAbove ? field.top - 12 : below, 240);
    Object.assign(list.style, { left: `${field.left}px`, width: `${field.width}px`, maxHeight: `${room}px`, top: isAbove ? "" : `${field.bottom + 3}px`, bottom: isAbove ? `${innerHeight - field.top + 3}px` : "" });
  };
  const mark = (index) => {
    at = index;
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    if (list.children[at]?.id) input.setAttribute("aria-activedescendant", list.children[at].id);
  };
  const choose = (item) => {
    const isOther = input.dataset.value !== item.dataset.option;
    Object.assign(input.dataset, { value: item.dataset.option, label: item.dataset.label });
    input.value = item.dataset.label;
    show(false);
    if (isOther) chosen(input, item.dataset.option);
  };
  const offer = async (text) => {
    const mine = ++asked;
    try {
      const choices = await find(text);
      if (mine !== asked || document.activeElement !== input) return;
      list.replaceChildren(...choices.map((it, n) => h("li", { role: "option", id: `${list.id}-${n}`, "data-option": it.value, "data-label": it.label }, it.label, it.about && h("small", {}, it.about))));
      if (!choices.length) list.append(h("li", { role: "option", "aria-disabled": "true", "aria-selected": "false" }, "No results"));
      show(true);
      mark(choices.findIndex((it) => it.value === input.dataset.value));
    } catch (error) {
      tell(error);
    }
  };
  let typing;
  input.addEventListener("input", () => {
    input.dataset.value = input.dataset.label = "";
    clearTimeout(typing);
    typing = setTimeout(offer, 120, input.value);
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => (isOpen() ? show(false) : offer(input.dataset.value ? "" : input.value)));
  // What was typed but not chosen is no answer.
  input.addEventListener("blur", () => (clearTimeout(typing), show(false), (input.value = input.dataset.label)));
  input.addEventListener("keydown", (event) => {
    const options = list.querySelectorAll("[data-option]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const opens = step || (event.key === "Enter" && !input.dataset.value);
    if (opens && !isOpen()) offer(input.dataset.value ? "" : input.value);
    else if (step && options.length) mark((at + step + options.length + (at < 0 && step < 0)) % options.length);
    else if (event.key === "Enter" && isOpen() && options.length) choose(options[Math.max(at, 0)]);
    else if (event.key === "Escape" && isOpen()) show(false), event.stopPropagation();
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

const isMenu = (input) => input.dataset.label != null;
const answerOf = (input) => (isMenu(input) ? input.dataset.value : input.value);
/** What is filled in in `form` that Slack was not told yet, by block. */
function answersIn(form, view) {
  const all = view.blocks.filter((it) => it.type === "input").map((block) => [block, form.querySelector(`[data-block="${CSS.escape(block.block_id)}"]`)]);
  const told = (block) => {
    const held = heldIn(view, block) ?? {};
    return held.selected_option?.value ?? held.selected_user ?? held.selected_date ?? held.value ?? (held.type ? "" : undefined);
  };
  return Object.fromEntries(all.filter(([block, input]) => input && answerOf(input) !== told(block)).map(([block, input]) => [block.block_id, answerOf(input)]));
}

/** Asks as the element's confirm dialog does; true at once where it has none. */
function confirmed({ confirm }) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const close = (yes) => (dialog.close(), dialog.remove(), resolve(yes));
    const dialog = h("dialog", { "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text", "data-test": "confirm", oncancel: (event) => (event.preventDefault(), close(false)) },
      h("h2", { id: "confirm-title" }, textOf(confirm.title)), h("div", { class: "blocks" }, h("p", { id: "confirm-text" }, textOf(confirm.text))),
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
  // What is said where one looks is seen there.
  const heard = answer.ephemerals.filter((it) => it.channel !== (place === "dm" ? state.slack.dms[me].channel : place));
  say(trouble || heard.map((it) => `Only visible to ${user(acting)} in ${channelName(it.channel)}: ${spoken(it.text)}`).join("\n"), Boolean(trouble));
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

/** The private messages that were dismissed, by person and timestamp. */
const dismissed = new Set();
/** The last message that was looked at, by person and place. */
const read = {};
const rootOf = (message) => message.thread_ts ?? message.ts;
const isReply = (message) => message.thread_ts != null && message.thread_ts !== message.ts;

function messagesOf(where, who = me) {
  return (where === "dm" ? state.slack.dms[who]?.messages : state.slack.channels[where]?.messages) ?? [];
}

/** What is worth knowing about a person, in a word or two; nothing for those about whom nothing is. */
function role(id) {
  const { kind, email, okta } = state.slack.users[id];
  if (kind !== "member") return kind === user(id).toLowerCase() ? "" : kind;
  if (!okta) return Object.values(state.okta.users).filter((it) => it.email === email).length > 1 ? "twice in Okta" : "not in Okta";
  return approvers().includes(id) ? "approves" : "";
}

/** Who is in the group that decides. The flows file is not in the state: it is told by its name. */
function approvers() {
  const groups = Object.values(state.okta.groups).filter((it) => /approv/i.test(it.name));
  return Object.keys(state.slack.users).filter((id) => groups.some((it) => it.members.includes(state.slack.users[id].okta)));
}

const lastOf = (where, who = me) => messagesOf(where, who).at(-1)?.ts ?? "";

/** Notes what `me` looks at now as read; what anybody had at the start is not new to them. */
function noteRead() {
  for (const who of Object.keys(state.slack.users)) for (const where of [...Object.keys(state.slack.channels), "dm"]) read[`${who}/${where}`] ??= lastOf(where, who);
  if (place !== "home") read[`${me}/${place}`] = lastOf(place);
}
const isUnread = (where, who = me) => lastOf(where, who) > read[`${who}/${where}`];

function drawPeople() {
  const people = Object.entries(state.slack.users).map(([id, it], at) => ({ id, tone: at % 6, name: it.name, role: role(id), news: isUnread("dm", id) }));
  keep($("#people div"), people, ({ id }) => id, ({ id, tone, name, role, news }) =>
    h("label", { class: "person", "data-person": id },
      h("input", { type: "radio", name: "person", value: id, checked: id === me, "data-test": "person", onchange: () => go(id, place) }),
      h("span", { class: `avatar tone${tone}`, "aria-hidden": "true" }, name.slice(0, 1)),
      h("span", {}, name, role && h("small", {}, ` ${role}`)),
      news && h("span", { class: "dot", title: "has a new direct message" }, h("span", { class: "unseen" }, ", new message"))));
  const { kind, email, okta } = state.slack.users[me];
  const inOkta = okta ? `${okta} in Okta${state.okta.users[okta]?.status === "ACTIVE" ? "" : `, ${state.okta.users[okta]?.status.toLowerCase() ?? "gone"}`}` : role(me);
  $("#whoami").textContent = [me, kind, email ?? "no e-mail", inOkta].filter((it, at, all) => it && all.indexOf(it) === at).join(" · ");
}

function drawPlaces() {
  const rows = [
    { title: "Channels" }, ...Object.entries(state.slack.channels).map(([id, it]) => ({ id, label: `# ${it.name}` })),
    { title: "Apps" }, { id: "dm", label: "⏳ Stint" },
  ];
  for (const row of rows.filter((it) => it.id)) Object.assign(row, { current: row.id === (place === "home" ? "dm" : place), unread: isUnread(row.id) });
  keep($("#places"), rows, (row) => row.id ?? row.title, ({ id, title, label, current, unread }) => title
    ? h("h4", {}, title)
    : h("button", { "data-place": id, "data-test": "place", "aria-current": current && "page", class: unread && "unread", onclick: () => go(me, id) }, h("span", {}, label), unread && h("span", { class: "dot" }, h("span", { class: "unseen" }, "new messages"))));
  const isApp = place === "dm" || place === "home";
  const tabs = isApp ? [["home", "Home"], ["dm", "Messages"]].map(([id, label]) => ({ id, label, current: id === place })) : [];
  keep($("#tabs"), tabs, ({ id }) => id, ({ id, label, current }) => h("button", { "data-test": "tab", "data-tab": id, "aria-current": current && "page", onclick: () => go(me, id) }, label));
  const title = isApp ? "Stint" : channelName(place);
  if ($("#where").textContent !== title) $("#where").textContent = title;
}

function drawFeed() {
  $("#compose").hidden = place === "home";
  const feed = $("#feed");
  const scene = `${me}/${place}`;
  const atEnd = feed.scene !== scene || feed.scrollHeight - feed.scrollTop - feed.clientHeight < 60;
  const today = new Date(state.now).toDateString();
  let items;
  if (place === "home") {
    items = [{ id: `${me}-home`, view: state.slack.homes[me], today }];
  } else {
    const channel = place === "dm" ? state.slack.dms[me]?.channel : place;
    const all = messagesOf(place);
    const item = (message, shape = {}) => ({ id: `${channel} ${shape.broadcast ? message.ts : rootOf(message)} ${message.ts}`, channel, message, today, me, ...shape });
    const said = all.map((message) => item(message, { replies: all.filter((it) => isReply(it) && it.thread_ts === message.ts).length }));
    // A reply that is shown in the channel too stands there once more, at its own time.
    const broadcasts = all.filter((it) => isReply(it) && it.subtype === "thread_broadcast");
    const above = broadcasts.map((it) => ({ ...item(it, { broadcast: true }), to: all.find((root) => root.ts === it.thread_ts)?.text ?? "a message" }));
    const hushed = state.slack.ephemerals[me].filter((it) => it.channel === channel && !dismissed.has(`${me} ${it.ts}`)).map((it) => ({ id: `${channel} ${it.ts} ${it.ts}`, hushed: it, today, me }));
    items = [...said, ...above, ...hushed].sort((a, b) => (a.id < b.id ? -1 : 1));
  }
  const nothing = `No messages yet. Ask with ${$("#command").placeholder.split(" ")[0]} below.`;
  keep(feed, items, (it) => it.id, (it) => (it.message ? drawMessage(it) : it.hushed ? drawEphemeral(it.hushed) : drawHome(it.view)), { nothing, scene });
  if (atEnd && feed.scrollTop + feed.clientHeight < feed.scrollHeight - 1) feed.scrollTop = place === "home" ? 0 : feed.scrollHeight;
}

const messageHead = (at, ...more) => h("div", { class: "head" }, h("strong", {}, "Stint"), " ", h("span", { class: "app" }, "APP"), " ", at && time(at, false), more);
const appFace = () => h("span", { class: "avatar", "aria-hidden": "true" }, "⏳");
const bodyOf = ({ blocks, text }, click) => h("div", { class: "blocks" }, blocks?.length ? drawBlocks(blocks, click) : h("div", {}, mrkdwn(text)));

function drawMessage({ channel, message, replies, broadcast, to }) {
  const { ts, text, blocks } = message;
  const kind = broadcast ? "broadcast" : isReply(message) ? "reply" : "";
  return h("article", { class: `message ${kind}`, tabindex: -1, "data-test": "message", "data-ts": ts, "data-channel": channel, "data-kind": kind || "message", "aria-label": `${kind === "reply" ? "Reply: " : ""}${spoken(text)}` },
    appFace(), h("div", {},
      broadcast && h("p", { class: "note" }, `replied to a thread: ${spoken(to).slice(0, 80)}`),
      messageHead(ts * 1000), bodyOf(message, clicker({ channel, ts }, blocks)),
      replies > 0 && h("p", { class: "note thread" }, plural(replies, "reply", "replies"))));
}

function drawEphemeral(it) {
  const { channel, ts, text, blocks } = it;
  const dismiss = h("button", { class: "link", "data-test": "dismiss", onclick: () => (dismissed.add(`${me} ${ts}`), drawFeed()) }, "Dismiss");
  return h("article", { class: "message private", tabindex: -1, "data-test": "ephemeral", "data-ts": ts, "aria-label": `Only visible to you: ${spoken(text)}` },
    appFace(), h("div", {}, h("p", { class: "note" }, "👁 Only visible to you · ", dismiss), messageHead(ts * 1000), bodyOf(it, clicker({ channel, ts }, blocks))));
}

function drawHome(view) {
  const body = view ? drawBlocks(view.blocks, clicker({ view_id: view.id }, view.blocks), view) : h("p", { class: "soft" }, "The app has published nothing here yet.");
  return h("div", { class: "home blocks", tabindex: -1, "data-test": "home", "aria-label": `App Home of ${user(me)}`, role: "region" }, body);
}

/** The top view of everybody, of which only that of `me` is seen: so a form half filled in is not lost. */
function drawForms() {
  const open = Object.entries(state.slack.views).filter(([, views]) => views.length).map(([who, views]) => ({ ...views.at(-1), who }));
  const before = new Set($("#forms").children);
  const hadFocus = $("#forms").contains(document.activeElement);
  keep($("#forms"), open.map(({ who, id, title, submit, close }) => ({ who, id, title, submit, close })), ({ who, id }) => `${who} ${id}`, drawForm);
  for (const [at, form] of [...$("#forms").children].entries()) {
    // Block by block: where one types does not change because something else does.
    keep(form.querySelector(".blocks"), open[at].blocks, (block) => block.block_id, (block, old) => carry(old, drawBlock(block, form.press, open[at])));
    form.hidden = form.dataset.person !== me;
  }
  const mine = [...$("#forms").children].find((form) => !form.hidden);
  $("#room").inert = $("#places").inert = Boolean(mine);
  const isFree = document.activeElement === document.body || $("#window").contains(document.activeElement) || $("#stations").contains(document.activeElement);
  if (mine && isFree && (!before.has(mine) || mine !== drawForms.shown) && !mine.contains(document.activeElement)) (mine.querySelector("[data-block]") ?? mine).focus();
  if (!mine && (hadFocus || drawForms.shown) && document.activeElement === document.body) (place === "home" ? $("#feed") : $("#command")).focus();
  drawForms.shown = mine;
}

/** Where the app drew a field anew, what was typed or chosen in it stays, as in Slack. */
function carry(old, field) {
  const [was, input] = [old, field].map((it) => it?.querySelector("[data-block]"));
  if (!was || was.dataset.kind !== input?.dataset.kind) return field;
  input.value = was.value;
  if (isMenu(was)) Object.assign(input.dataset, { value: was.dataset.value, label: was.dataset.label });
  return field;
}

function drawForm({ who, id, ...face }) {
  const view = () => ({ ...state.slack.views[who].findLast((it) => it.id === id), who });
  const close = () => act(null, { close: { view_id: id } }, who);
  const submit = async (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    const answer = await act(form.querySelector("[data-test=submit]"), { submit: { view_id: id, values: answersIn(form, view()) } }, who);
    delete form.dataset.busy;
    showErrors(form, answer?.errors ?? {});
  };
  const form = h("form", { class: "form", role: "dialog", "aria-modal": "true", "aria-labelledby": `${id}-title`, novalidate: true, tabindex: -1, "data-test": "form", "data-person": who, "data-view": id, onsubmit: submit, onkeydown: (event) => (event.key === "Escape" ? close() : stayIn(form, event)) },
    h("h2", { id: `${id}-title` }, textOf(face.title)),
    h("button", { type: "button", "aria-label": "Close", class: "x", onclick: close }, "✕"),
    h("div", { class: "blocks" }),
    h("div", { class: "buttons" },
      h("button", { type: "button", "data-test": "close", onclick: close }, face.close ? textOf(face.close) : "Cancel"),
      face.submit && h("button", { class: "primary", "data-test": "submit" }, textOf(face.submit))));
  form.press = async (...pressed) => (await doing(null, () => sendAnswers(form, view())), clicker({ view_id: id }, view().blocks, who)(...pressed));
  return form;
}

/** With every click Slack tells the app what is filled in. */
async function sendAnswers(form, view) {
  for (const [block_id, value] of Object.entries(answersIn(form, view))) {
    const { element, dispatch_action } = view.blocks.find((it) => it.block_id === block_id);
    if (!dispatch_action) await post("/sandbox/slack", { user: view.who, click: { view_id: view.id, action_id: element.action_id, value }, wait: false });
  }
}

/** Keeps the Tab key within `dialog`. */
function stayIn(dialog, event) {
  if (event.key !== "Tab") return;
  const all = [...dialog.querySelectorAll("button, input, textarea, select, a[href]")].filter((node) => !node.disabled && node.offsetParent);
  const edge = event.shiftKey ? all[0] : all.at(-1);
  if (document.activeElement !== edge && document.activeElement !== dialog) return;
  event.preventDefault();
  (event.shiftKey ? all.at(-1) : all[0])?.focus();
}

function showErrors(form, errors) {
  for (const place of form.querySelectorAll("[data-error]")) place.textContent = errors[place.dataset.error] ?? "";
  for (const input of form.querySelectorAll("[data-block]")) input.setAttribute("aria-invalid", String(input.dataset.block in errors));
  form.querySelector("[aria-invalid=true]")?.focus();
}

// ---- the road of one request, and what to do next

const latestRequest = () => state.requests.toSorted((a, b) => (a.requested_at < b.requested_at ? 1 : -1))[0];

/** Where a person finds the button `action` of `request`: who, which place, which message. */
function buttonOf(action, request, people) {
  const has = ({ blocks }) => (blocks ?? []).some((block) => [...(block.elements ?? []), block.accessory ?? {}].some((it) => it.action_id === action && it.value === request.id));
  for (const who of people) {
    for (const where of [...Object.keys(state.slack.channels), "dm"]) {
      const message = messagesOf(where, who).find(has);
      if (message) return { who, where, ts: message.ts };
    }
  }
  return undefined;
}

/** The stations of a request: where, and from what is known of it what is to be said, how far it is, when, and what to do next. */
const STATIONS = [
  ["Slack", ({ request, name, asks }) => request
    ? { text: `${name} asked`, mark: "done", at: request.requested_at }
    : { text: `${name} asks`, mark: "next", next: { label: `Ask as ${name}`, test: "guide-ask", lead: () => leadToAsk(asks) } }],
  ["Slack", ({ request, name, answers, entry }) => {
    const no = entry("deny", "cancel", "expire");
    if (!request) return { text: `${user(answers[0])} says yes`, mark: "ahead" };
    if (no) return { text: { deny: `${user(no.actor.slack)} said no`, cancel: `${name} took it back`, expire: "nobody answered" }[no.step], mark: "bad", at: no.at };
    if (request.why === "already_member") return { text: `${name} was in already`, mark: "off" };
    if (request.state !== "pending") return { text: `${request.approvals.map((yes) => user(yes.user)).join(", ") || "the policy"} said yes`, mark: "done", at: request.approvals.at(-1)?.at ?? entry("approve")?.at };
    const button = buttonOf("approve", request, answers);
    const next = button && { label: `Answer as ${user(button.who)}`, test: "guide-answer", lead: () => leadTo(button, "approve") };
    return { text: `waits for ${user(button?.who ?? answers[0])}`, mark: "next", next };
  }],
  ["Okta", ({ request, name, rest, entry }) => {
    const added = entry("activate");
    if (added) return { text: `${name} was added`, mark: "done", at: added.at };
    if (["approved", "escalating"].includes(request?.state)) return { text: "adding…", mark: "now" };
    return request?.state === "failed" ? { text: "nobody was added", mark: "bad" } : { text: `${name} is put in the group`, mark: rest };
  }],
  ["Slack", ({ request, rest, entry }) => {
    if (!entry("activate")) return { text: "the card says until when", mark: rest };
    return request.state === "active" ? { text: "card says until", mark: "now", until: request.ends_at } : { text: "card said until", mark: "done", until: request.ends_at };
  }],
  ["Okta", ({ request, name, rest, entry }) => {
    if (request?.state === "deescalating") return { text: "removing…", mark: "now" };
    if (!entry("activate")) return { text: `${name} is taken out on time`, mark: rest };
    if (FINAL.includes(request.state)) return { text: { revoked: "revoked", withdrawn: "given back", superseded: "extended" }[request.why] ?? "taken out", mark: "done", at: entry("end")?.at };
    const lead = (node) => advance(node, Math.max(1, Math.ceil((new Date(request.ends_at) - new Date(state.now)) / 1000) + 1));
    return { text: "taken out", mark: "next", left: request.ends_at, next: { label: "Move the clock there", test: "guide-end", lead } };
  }],
];

/** The stations of `request`, or of the first one that somebody could make. */
function stationsOf(request) {
  const people = Object.keys(state.slack.users);
  const asks = request?.requester ?? people[0];
  const answers = [...approvers(), ...people].filter((id) => id !== asks);
  const steps = state.audit.filter((it) => it.request === request?.id);
  const entry = (...names) => steps.findLast((it) => names.includes(it.step));
  const known = { request, asks, answers, entry, name: user(asks), rest: FINAL.includes(request?.state) ? "off" : "ahead" };
  return STATIONS.map(([where, station], at) => ({ number: at + 1, where, ...station(known) }));
}

const MARKS = { done: "done", now: "under way", next: "next", ahead: "still to come", bad: "ends here", off: "not needed" };

function drawRoad() {
  const request = latestRequest();
  $("#road-title").textContent = request ? `${user(request.requester)} → ${request.label}` : "Try it: one request, from Slack to Okta and back";
  $("#road-about").replaceChildren(...(request ? [badge(request.state), ` ${inWords(request.duration_s)}`] : ["Ask, approve, move the clock."]));
  $("#once-more").hidden = !request || !FINAL.includes(request.state);
  const scene = request?.id;
  keep($("#stations"), stationsOf(request), (it) => it.number, ({ number, where, text, mark, at, until, left, next }) =>
    h("li", { class: mark, "data-station": number, "data-mark": mark, "data-test": "station", "aria-current": (mark === "next" || mark === "now") && "step" },
      h("span", { class: "bead", "aria-hidden": "true" }, mark === "done" ? "✓" : mark === "bad" ? "✕" : String(number)),
      h("div", {}, h("small", { class: "where" }, h("span", {}, where)), h("span", {}, text, h("span", { class: "unseen" }, `, ${MARKS[mark]}`)),
        " ", at && time(at), until && time(until, false), left && distance(left), next && h("button", { class: "primary small", "data-test": next.test, onclick: ({ currentTarget }) => next.lead(currentTarget) }, next.label))), { scene });
}

const FINAL = ["ended", "denied", "cancelled", "expired", "failed"];

/** Leads to the field in which `who` asks, filled in; sending is left to whoever looks. */
function leadToAsk(who) {
  go(who, place === "home" || place === "dm" ? Object.keys(state.slack.channels)[0] : place);
  if (drawForms.shown) return;
  $("#command").value ||= $("#command").placeholder;
  point($("[data-test=send]"));
}

/** Leads to the button `action` of a message; pressing it is left to whoever looks. */
function leadTo({ who, where, ts }, action) {
  go(who, where);
  const button = $(`#feed [data-ts="${CSS.escape(ts)}"] [data-action=${action}]`);
  if (!button) return;
  button.closest("article").scrollIntoView({ block: "nearest" });
  point(button);
}

function point(node) {
  node.focus({ focusVisible: true });
  node.classList.add("pointed");
  node.addEventListener("blur", () => node.classList.remove("pointed"), { once: true });
}

// ---- how a click travels

/** Lights up what has changed, one after the other in the order in which it happened, and says it. */
function travel() {
  const before = travel.seen;
  travel.seen = { audit: new Set(state.audit.map((it) => it.id)), members: new Set(Object.entries(state.okta.groups).flatMap(([id, it]) => it.members.map((member) => `${id} ${member}`))) };
  if (before) {
    const { members } = travel.seen;
    const moved = (to, from, verb) => [...to].filter((it) => !from.has(it)).map((it) => it.split(" ")).map(([id, member]) => ({ id, text: `${person(member)} ${verb} ${group(id)}` }));
    const added = moved(members, before.members, "is in");
    const removed = moved(before.members, members, "is out of");
    for (const { id } of removed) fresh.add($(`#groups [data-group="${CSS.escape(id)}"]`));
    const steps = state.audit.filter((it) => !before.audit.has(it.id)).map((it) => `${whom(it.request)}: ${STEPS[it.step] ?? it.step}${it.actor.slack ? ` by ${user(it.actor.slack)}` : ""}`);
    const news = [...steps, ...[...added, ...removed].map((it) => it.text)];
    $("#news").append(...news.map((text) => h("p", {}, text)));
    while ($("#news").children.length > 30) $("#news").firstElementChild.remove();
  }
  // The order of things: what was decided, what was called, who is in, what Slack shows of it.
  const rank = [["timeline", "stations"], ["calls"], ["groups"], ["feed", "requests"]];
  const list = (node) => rank.findIndex((ids) => ids.some((id) => node.closest(`#${id}`)));
  const when = (node) => node.item?.at ?? lastCall(node) ?? state.now;
  const isQuiet = (node) => node.matches("#calls > :not(.strong)");
  const lit = [...fresh].filter((node) => node?.isConnected && list(node) >= 0 && !isQuiet(node)).sort((a, b) => (when(a) === when(b) ? list(a) - list(b) : when(a) < when(b) ? -1 : 1));
  fresh.clear();
  const pause = Math.min(220, 1600 / lit.length);
  lit.forEach((node, at) => {
    node.style.setProperty("--wait", `${Math.round(at * pause)}ms`);
    node.classList.add("lit");
    setTimeout(() => node.classList.remove("lit"), at * pause + 2400);
  });
}

/** When Okta was last called about the group in which `node` is. */
function lastCall(node) {
  const id = node.closest("[data-group]")?.dataset.group;
  return id && state.okta.calls.findLast((it) => /PUT|DELETE/.test(it.method) && it.path.includes(id))?.at;
}

// ---- Okta

const GOOD = { ACTIVE: "good", active: "good", ended: "", pending: "busy", approved: "busy", escalating: "busy", deescalating: "busy", failed: "bad", denied: "bad", DEPROVISIONED: "bad", SUSPENDED: "bad" };
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
      h("li", { "data-user": member, "data-test": "member", class: held && "held", title: held ? "through Stint, for a while" : "not through Stint" }, held && h("span", { "aria-label": "through Stint" }, "⏳"), name,
        h("button", { title: `Remove ${name} by hand`, "aria-label": `Remove ${name} from ${groups[id].name}`, "data-test": "remove", onclick: (event) => okta(event.currentTarget, { group: id, remove: member }, `${name} was removed by hand`) }, "✕")), { nothing: "nobody" });
  }
  keep($("#users"), Object.entries(users), ([id]) => id, ([id, it]) => {
    const status = it.status === "ACTIVE" ? "DEPROVISIONED" : "ACTIVE";
    return h("li", { "data-user": id, "data-test": "user" }, h("span", { class: "grow", title: id }, it.login), badge(it.status),
      h("button", { class: "small", "data-test": "status", "aria-label": `${it.status === "ACTIVE" ? "Deactivate" : "Activate"} ${it.login}`, onclick: (event) => okta(event.currentTarget, { user: id, status }, `${it.login} is ${status} now`) }, it.status === "ACTIVE" ? "Deactivate" : "Activate"));
  });
  keep($("#calls"), calls.slice(-60).map((it, at, all) => ({ ...it, twin: all.slice(0, at).filter((other) => other.at === it.at).length })).reverse(), (it) => `${it.at} ${it.twin}`, ({ at, method, path, status }) =>
    h("li", { class: /PUT|DELETE|POST/.test(method) && "strong" }, time(at), h("span", { class: "grow" }, `${method} ${path.replace("/api/v1", "")}`), h("span", { class: `badge ${status < 300 ? "good" : "bad"}` }, String(status ?? "lost"))), { nothing: "No call yet." });
}

function drawGroup({ id, name, type, rules, admin_roles, names }) {
  const select = h("select", { "aria-label": `Somebody to add to ${name}`, "data-test": "add-user" }, names.map(([user, text]) => h("option", { value: user }, text.split("@")[0])));
  const onsubmit = (event) => {
    event.preventDefault();
    okta(event.submitter, { group: id, add: select.value }, `${login(select.value)} was added by hand`);
  };
  const about = [type === "APP_GROUP" && "of an app", rules?.length > 0 && "by rules", admin_roles?.length > 0 && "admin roles", type === "BUILT_IN" && "built in"].filter(Boolean).join(", ");
  return h("li", { "data-group": id, "data-test": "group" },
    h("h4", { title: `${id} · ${type}${[...(rules ?? []), ...(admin_roles ?? [])].map((it) => ` · ${it}`).join("")}` }, name, about && h("span", { class: "badge" }, about)),
    h("ul", { class: "members", "aria-label": `Members of ${name}` }),
    h("details", { class: "add" }, h("summary", { title: "Add somebody as an administrator, by hand", "aria-label": `Add somebody to ${name} by hand` }, "+"), h("form", { onsubmit }, select, h("button", { class: "small", "data-test": "add", "aria-label": `Add to ${name}` }, "Add"))));
}

// ---- the record

const STEPS = {
  request: "asked", approve: "approved", deny: "denied", cancel: "cancelled", forward: "sent on to others", expire: "nobody answered", escalate: "adding in Okta",
  activate: "in the group", refuse: "refused", revoke: "revoked", withdraw: "given back", deescalate: "removing in Okta", end: "out of the group", remind: "reminded",
};

const inWords = (seconds) => (seconds % 86400 === 0 ? plural(seconds / 86400, "day") : seconds % 3600 === 0 ? plural(seconds / 3600, "hour") : plural(Math.round(seconds / 60), "minute"));

function drawRecord() {
  const { requests, memberships, schedules, handoffs, audit, faults } = state;
  const latest = requests.toSorted((a, b) => (a.requested_at < b.requested_at ? 1 : -1));
  keep($("#requests"), latest, (it) => it.id, (it) =>
    h("li", { "data-request": it.id, "data-test": "request", title: it.id },
      h("h4", {}, badge(it.state), `${user(it.requester)} → ${it.label}`, it.why && h("small", {}, it.why.replaceAll("_", " "))),
      h("p", {}, h("em", {}, it.reason), h("small", {}, ` · ${inWords(it.duration_s)}${it.extends ? " · extends another" : ""}`)),
      it.approvals?.length > 0 && h("p", { class: "soft" }, `approved by ${it.approvals.map((yes) => user(yes.user)).join(", ")}`),
      it.ends_at && !FINAL.includes(it.state) && h("p", {}, "ends ", time(it.ends_at), " ", distance(it.ends_at)),
      it.due_at && it.due_at !== it.ends_at && h("p", { class: "soft" }, "due ", time(it.due_at), " ", distance(it.due_at))), { nothing: "Nobody has asked for anything." });
  const entries = audit.map((it, number) => ({ ...it, number })).sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.number - a.number)).slice(0, 200);
  keep($("#timeline"), entries.map((it) => ({ ...it, number: undefined })), (it) => `${it.id} ${it.at} ${it.step}`, (it) =>
    h("li", { "data-step": it.step, title: it.id }, time(it.at),
      h("span", { class: "grow" }, h("strong", {}, STEPS[it.step] ?? it.step), ` · ${whom(it.request)}`,
        h("br"), h("small", {}, [it.from && it.from !== it.to ? `${it.from} → ${it.to}` : it.to, it.actor.function ?? `by ${user(it.actor.slack)}`, it.why?.replaceAll("_", " "), it.policy?.length && `policy ${it.policy.join(", ")}`, it.reason, it.error].filter(Boolean).join(" · ")))), { nothing: "Nothing has happened yet. Every step of every request is written down here." });
  keep($("#memberships"), memberships, (it) => `${it.okta_user} ${it.group_id}`, (it) =>
    h("li", { "data-test": "membership" }, h("span", { class: "grow" }, `${person(it.okta_user)} in ${group(it.group_id)}`), badge(it.ours ? "ours" : "not ours"),
      h("small", { title: it.holders.join("\n") }, plural(it.holders.length, "holder")), it.under_way.length > 0 && h("small", {}, `under way: ${it.under_way.map((call) => call.kind).join(", ")}`)), { nothing: "None." });
  keep($("#schedules"), schedules, (it) => it.name, (it) => h("li", { title: it.name }, time(it.at), h("span", { class: "grow" }, whom(it.request)), distance(it.at)), { nothing: "None." });
  const lines = [`${handoffs.waiting} waiting, ${handoffs.failed.length} failed`, ...handoffs.failed.map((it) => `failed: ${typeof it === "string" ? it : JSON.stringify(it)}`)];
  keep($("#handoffs"), lines.map((text, at) => ({ text, at })), (it) => it.at, ({ text, at }) => h("li", { class: at ? "error" : "soft" }, text));
  keep($("#broken"), faults, (it) => it.id, (it) =>
    h("li", { "data-fault": it.id }, h("span", { class: "grow" }, `${it.system} `, h("code", {}, it.match), ` ${faultDoes(it)}`), h("small", {}, it.left == null ? "until mended" : `${plural(it.left, "call")} left`),
      h("button", { class: "small", "data-test": "fault-remove", "aria-label": `Mend ${it.system} ${it.match}`, onclick: (event) => doing(event.currentTarget, () => mend([it])) }, "Mend")));
  $("#mend").hidden = !faults.length;
  for (const node of document.querySelectorAll("[data-preset]")) node.setAttribute("aria-checked", String(faultsOf(node.dataset.preset).length > 0));
}

const faultDoes = (it) => [it.status && `answers ${it.status}`, it.latency_ms > 0 && `after ${it.latency_ms / 1000} s`, it.drop && `lost ${it.drop} it takes effect`].filter(Boolean).join(", ");
const mend = async (faults) => { for (const { id } of faults) await call("DELETE", `/sandbox/faults/${encodeURIComponent(id)}`); };
/** What is broken now by the switch `name`. */
const faultsOf = (name) => state.faults.filter((it) => PRESETS[name]().some((made) => ["system", "match", "status", "drop"].every((key) => (made[key] ?? null) === (it[key] ?? null)) && (made.latency_ms ?? 0) === (it.latency_ms ?? 0)));

// ---- clock and faults

function tick() {
  const now = new Date(state.now);
  $("#now").textContent = `${now.toLocaleDateString([], { weekday: "short", month: "short", day: "numeric" })} ${clockTime(now)}`;
  $("#now").title = state.now;
  $("#now").classList.toggle("frozen", state.frozen);
  $("#freeze").setAttribute("aria-pressed", String(Boolean(state.frozen)));
  $("#has-secret").textContent = state.secret;
  $("#idle").textContent = state.idle ? "idle" : "at work";
  $("#idle").className = `badge ${state.idle ? "" : "busy"}`;
  const show = (node, text) => node.textContent !== text && (node.textContent = text);
  for (const node of document.querySelectorAll("[data-at]")) show(node, away(node.dataset.at));
  for (const node of document.querySelectorAll("[data-time]")) show(node, timeText(new Date(node.dateTime), node.dataset.time === "seconds"));
}

const advance = (node, seconds) => doing(node, async () => {
  const { now, fired, sweeps } = await post("/sandbox/clock", { advance_s: seconds });
  const what = fired.length ? `fired: ${fired.map((name) => whom(name.replace(/-\d+$/, ""))).join(", ")}` : "no schedule fired";
  $("#fired").textContent = `Moved to ${clockTime(new Date(now))}; ${what}; ${plural(sweeps, "sweep")}.`;
  say($("#fired").textContent);
});

const inSeconds = (seconds) => String(Math.floor(new Date(state.now) / 1000) + seconds);
const SLACK_METHODS = ["chat.postMessage", "chat.update", "chat.postEphemeral", "conversations.open", "users.info", "views.open", "views.update", "views.publish"];
const PRESETS = {
  "Okta cannot add": () => [{ system: "okta", match: "PUT /api/v1/groups", status: 500 }],
  "Okta cannot remove": () => [{ system: "okta", match: "DELETE /api/v1/groups", status: 500 }],
  "Okta refuses to add": () => [{ system: "okta", match: "PUT /api/v1/groups", status: 403 }],
  "Okta is at its rate limit": () => [{ system: "okta", match: "PUT /api/v1/groups", status: 429, headers: { "X-Rate-Limit-Limit": "50", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": inSeconds(30) } }],
  "Okta hangs": () => [{ system: "okta", match: "PUT /api/v1/groups", latency_ms: 15000 }],
  "Okta's answer gets lost": () => [{ system: "okta", match: "PUT /api/v1/groups", drop: "after" }],
  "Slack is down": () => SLACK_METHODS.map((match) => ({ system: "slack", match, status: 503 })),
  "DynamoDB fails": () => [{ system: "aws", match: "DynamoDB.TransactWriteItems", status: 500 }],
  "Scheduler fails": () => [{ system: "aws", match: "Scheduler.CreateSchedule", status: 500 }],
};

const THEMES = { "": "◐ System", light: "☀ Light", dark: "☾ Dark" };

/** Shows the page in light or dark, or as the system has it. */
function wear(theme) {
  document.documentElement.dataset.theme = theme;
  $("#theme").textContent = THEMES[theme];
  $("#theme").setAttribute("aria-label", `Colours: ${THEMES[theme].slice(2)}`);
}

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
  onClick("#once-more", () => leadToAsk(latestRequest()?.requester));
  onClick("#result button", () => say(""));
  onClick("[data-advance]", (node) => advance(node, Number(node.dataset.advance)));
  onSubmit("#advance", (node) => advance(node, $("#advance input").valueAsNumber));
  onClick("#freeze", (node) => doing(node, () => post("/sandbox/clock", { freeze: !state.frozen })));
  onClick("#theme", () => {
    const all = Object.keys(THEMES);
    const theme = all[(all.indexOf(document.documentElement.dataset.theme) + 1) % all.length];
    localStorage.setItem("theme", theme);
    wear(theme);
  });
  onClick("[data-credential]", (node) => okta(node, { credential: node.dataset.credential }, `Okta's credential: ${node.textContent}`));
  const secret = (node, okta_api_token, done) => doing(node, async () => (await post("/sandbox/secret", okta_api_token), say(done)));
  onSubmit("#secret", (node) => secret(node, { okta_api_token: $("#secret input").value }, "the Okta secret was set"));
  onClick("[data-test=secret-empty]", (node) => secret(node, null, "the Okta secret is empty"));
  const breaks = (node, faults) => doing(node, async () => { for (const fault of faults) await post("/sandbox/faults", fault); });
  const flip = (node) => {
    const on = faultsOf(node.dataset.preset);
    return on.length ? doing(node, () => mend(on)) : breaks(node, PRESETS[node.dataset.preset]().map((it) => ({ ...it, times: $("#times").valueAsNumber || 0 })));
  };
  $("#presets").append(...Object.keys(PRESETS).map((name) =>
    h("button", { role: "switch", "aria-checked": "false", "data-test": "preset", "data-preset": name, onclick: (event) => flip(event.currentTarget) }, h("span", { "aria-hidden": "true" }), name)));
  onSubmit("#custom", (node) => doing(node, () => breaks(node, [parsed($("#custom textarea").value)])));
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
  if (`${who}/${where}` !== `${me}/${place}`) history.pushState(null, "", `#${who}/${where}`);
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
  noteRead();
  for (const part of [drawPeople, drawPlaces, drawFeed, drawForms, drawOkta, drawRecord, drawRoad, tick, travel]) part();
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
  // While something is under way, one sees it move.
  if (!document.hidden) refresh.next = setTimeout(refresh, state?.idle === false ? 250 : 1000);
}

wear(localStorage.getItem("theme") ?? "");
listen();
refresh();
