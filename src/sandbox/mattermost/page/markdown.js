// Markdown to DOM nodes. Nothing is ever parsed as HTML: text becomes text nodes, and only the elements made here exist, so that no post can
// inject anything, whatever it says.

const EMOJI = {
  "+1": "👍", "-1": "👎", alarm_clock: "⏰", arrow_right: "➡️", arrows_counterclockwise: "🔄", bell: "🔔", bird: "🐦", black_circle: "⚫",
  blue_heart: "💙", boom: "💥", bulb: "💡", calendar: "📆", clipboard: "📋", clock1: "🕐", construction: "🚧", dart: "🎯",
  double_vertical_bar: "⏸️", electric_plug: "🔌", exclamation: "❗", eyes: "👀", fire: "🔥", gear: "⚙️", grey_question: "❔",
  adhesive_bandage: "🩹", arrow_forward: "▶️", ballot_box_with_check: "☑️", bookmark: "🔖", floppy_disk: "💾", ghost: "👻", heavy_multiplication_x: "✖️", label: "🏷️", raising_hand: "🙋", speech_balloon: "💬", wastebasket: "🗑️", hammer_and_wrench: "🛠️", hand: "✋", heart: "❤️", heavy_check_mark: "✔️", hourglass: "⌛", hourglass_flowing_sand: "⏳", ice_cube: "🧊",
  information_source: "ℹ️", joy: "😂", key: "🔑", large_blue_circle: "🔵", large_green_circle: "🟢", large_orange_circle: "🟠",
  large_yellow_circle: "🟡", lock: "🔒", mag: "🔍", memo: "📝", mute: "🔇", no_bell: "🔕", no_entry: "⛔", no_entry_sign: "🚫",
  octagonal_sign: "🛑", ok_hand: "👌", package: "📦", page_facing_up: "📄", pause_button: "⏸️", pushpin: "📌", question: "❓", raised_hand: "✋",
  red_circle: "🔴", repeat: "🔁", rocket: "🚀", rotating_light: "🚨", sleeping: "😴", slightly_smiling_face: "🙂", smile: "😄",
  snowflake: "❄️", stop_sign: "🛑", stopwatch: "⏱️", tada: "🎉", thinking: "🤔", thumbsdown: "👎", thumbsup: "👍", traffic_light: "🚥",
  cloud: "☁️", point_down: "👇", point_right: "👉", zap: "⚡",
  unlock: "🔓", warning: "⚠️", wave: "👋", white_check_mark: "✅", white_circle: "⚪", wrench: "🔧", x: "❌", zzz: "💤",
};

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}_]/u;

export function glyph(name) {
  return EMOJI[name] ?? null;
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/// Only addresses that a click may follow.
function safe(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, children) {
  const href = safe(address);
  return href === null ? element("span", {}, ...children) : element("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

// ---- inline

export function inline(text, context = {}, depth = 0) {
  const nodes = [];
  let plain = "";
  // A delimiter without a closer has none further on either: looking once is enough.
  const hopeless = new Set();
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
  };
  const add = (node, length) => {
    flush();
    nodes.push(node);
    return length;
  };

  const emphasis = (at, mark, tag) => {
    if (hopeless.has(mark) || depth > 12 || /^\s|^$/.test(text.slice(at + mark.length, at + mark.length + 1))) return 0;
    if (mark[0] === "_" && at > 0 && WORD.test(text[at - 1])) return 0;
    for (let from = at + mark.length; ; ) {
      const end = text.indexOf(mark, from);
      if (end < 0) {
        hopeless.add(mark);
        return 0;
      }
      const next = text[end + mark.length] ?? " ";
      const single = mark.length === 1 && (text[end - 1] === mark || next === mark);
      const inside = mark[0] === "_" && WORD.test(next);
      if (end > at + mark.length && !/\s/.test(text[end - 1]) && text[end - 1] !== "\\" && !single && !inside) {
        return add(element(tag, {}, ...inline(text.slice(at + mark.length, end), context, depth + 1)), end + mark.length - at);
      }
      from = end + mark.length;
    }
  };

  const special = (at) => {
    const character = text[at];
    const before = at > 0 ? text[at - 1] : " ";
    const rest = () => text.slice(at, at + 2048);
    let match;
    switch (character) {
      case "\\":
        if (at + 1 < text.length && PUNCTUATION.test(text[at + 1])) {
          plain += text[at + 1];
          return 2;
        }
        return 0;
      case "\n":
        return add(element("br"), 1);
      case "`": {
        const run = /^`+/.exec(text.slice(at))[0];
        for (let end = text.indexOf(run, at + run.length); end >= 0; end = text.indexOf(run, end + 1)) {
          if (text[end - 1] === "`" || text[end + run.length] === "`") continue;
          const code = text.slice(at + run.length, end).replaceAll("\n", " ");
          return add(element("code", {}, /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code), end + run.length - at);
        }
        plain += run;
        return run.length;
      }
      case "*":
      case "_":
        if (text[at + 1] === character) {
          const taken = emphasis(at, character + character, "strong");
          if (taken) return taken;
          plain += character + character;
          return 2;
        }
        return emphasis(at, character, "em");
      case "~":
        return text[at + 1] === "~" ? emphasis(at, "~~", "del") : 0;
      case "!":
        if (text[at + 1] !== "[") return 0;
        match = /^!\[([^\]]*)\]\(([^\s)]+)[^)]*\)/.exec(rest());
        return match ? add(link(match[2], [match[1] || match[2]]), match[0].length) : 0;
      case "[":
        match = /^\[((?:\\.|[^[\]\\])*)\]\(\s*<?((?:[^\s()<>]|\([^\s()]*\))+)>?(?:\s+"[^"]*")?\s*\)/.exec(rest());
        return match ? add(link(match[2], inline(match[1], context, depth + 1)), match[0].length) : 0;
      case "<":
        match = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/.exec(rest());
        return match ? add(link(match[1], [match[1]]), match[0].length) : 0;
      case "&": {
        match = /^&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]+));/.exec(rest());
        if (!match) return 0;
        const code = match[1] ? Number(match[1]) : match[2] ? Number.parseInt(match[2], 16) : null;
        const decoded = code === null ? ENTITIES[match[3]] : code > 0 && code < 0x110000 ? String.fromCodePoint(code) : undefined;
        if (decoded === undefined) return 0;
        plain += decoded;
        return match[0].length;
      }
      case "h":
        if (WORD.test(before) || !text.startsWith("http", at)) return 0;
        match = /^https?:\/\/[^\s<>"`]+/.exec(rest());
        if (match) {
          let address = match[0].replace(/[.,;:!?'*_~]+$/, "");
          if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
          return add(link(address, [address]), address.length);
        }
        return 0;
      case "@":
        match = WORD.test(before) ? null : /^@([a-z0-9][a-z0-9._-]*)/i.exec(rest());
        if (match) {
          const name = match[1].replace(/[._-]+$/, "");
          const known = context.isUser?.(name.toLowerCase());
          const all = ["all", "channel", "here"].includes(name.toLowerCase());
          if (!known && !all) return 0;
          const me = all || name.toLowerCase() === context.me;
          return add(element("span", { class: me ? "mention me" : "mention" }, `@${name}`), name.length + 1);
        }
        return 0;
      case ":":
        match = WORD.test(before) ? null : /^:([a-z0-9_+-]+):/.exec(rest());
        if (match && EMOJI[match[1]]) {
          return add(element("span", { class: "emoji", role: "img", "aria-label": match[1].replaceAll("_", " "), title: match[0] }, EMOJI[match[1]]), match[0].length);
        }
        return 0;
      default:
        return 0;
    }
  };

  for (let at = 0; at < text.length; ) {
    const taken = special(at);
    if (taken) {
      at += taken;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

// ---- blocks

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(?:\s+(.*)|$)/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

function cells(line) {
  const row = line.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  const found = [];
  let cell = "";
  let code = false;
  for (let at = 0; at < row.length; at += 1) {
    if (row[at] === "\\" && row[at + 1] === "|") {
      cell += "|";
      at += 1;
    } else if (row[at] === "|" && !code) {
      found.push(cell.trim());
      cell = "";
    } else {
      if (row[at] === "`") code = !code;
      cell += row[at];
    }
  }
  found.push(cell.trim());
  return found;
}

function isTable(lines, at) {
  return lines[at].includes("|") && at + 1 < lines.length && lines[at + 1].includes("-") && DELIMITER.test(lines[at + 1])
    && cells(lines[at]).length === cells(lines[at + 1]).length;
}

function startsBlock(lines, at) {
  const line = lines[at];
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line) || isTable(lines, at);
}

function table(lines, at, context) {
  const align = cells(lines[at + 1]).map((cell) => (/^:-+:$/.test(cell) ? "center" : /-:$/.test(cell) ? "right" : null));
  const row = (line, tag) => {
    const given = cells(line);
    return element("tr", {}, ...align.map((side, number) => element(tag, { class: side }, ...inline(given[number] ?? "", context))));
  };
  const head = element("thead", {}, row(lines[at], "th"));
  const body = element("tbody");
  let end = at + 2;
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) {
    body.append(row(lines[end], "td"));
    end += 1;
  }
  return [element("div", { class: "wide", tabindex: "0" }, element("table", {}, head, body)), end];
}

function list(lines, at, context, depth) {
  const first = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first[2]);
  const start = ordered ? Number.parseInt(first[2], 10) : 1;
  const made = element(ordered ? "ol" : "ul", { start: ordered && start !== 1 ? String(start) : null });
  let here = at;
  while (here < lines.length) {
    const item = ITEM.exec(lines[here]);
    if (!item || item[1].length < first[1].length || /\d/.test(item[2]) !== ordered || RULE.test(lines[here])) break;
    const inner = [item[3] ?? ""];
    const indent = first[1].length + 2;
    here += 1;
    while (here < lines.length) {
      const next = lines[here];
      const deeper = /^\s*/.exec(next)[0].length >= indent;
      if (next.trim() === "") {
        if (here + 1 < lines.length && /^\s*/.exec(lines[here + 1])[0].length >= indent && lines[here + 1].trim()) inner.push("");
        else break;
      } else if (deeper) inner.push(next.slice(indent));
      else if (startsBlock(lines, here)) break;
      else inner.push(next);
      here += 1;
    }
    const task = /^\[([ xX])\]\s+/.exec(inner[0]);
    if (task) inner[0] = inner[0].slice(task[0].length);
    const children = blocks(inner, context, depth + 1, true);
    const box = task ? element("span", { class: "box" }, task[1] === " " ? "☐ " : "☑ ") : null;
    made.append(element("li", { class: task ? "task" : null }, box, ...children));
    let skip = here;
    while (skip < lines.length && lines[skip].trim() === "") skip += 1;
    if (skip > here && skip < lines.length && ITEM.test(lines[skip])) here = skip;
  }
  return [made, here];
}

function blocks(lines, context, depth, tight = false) {
  const nodes = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (fence) {
      const code = [];
      const close = new RegExp(`^ {0,3}${fence[2][0]}{${fence[2].length},}\\s*$`);
      at += 1;
      while (at < lines.length && !close.test(lines[at])) {
        code.push(lines[at].startsWith(fence[1]) ? lines[at].slice(fence[1].length) : lines[at]);
        at += 1;
      }
      at += 1;
      nodes.push(element("div", { class: "code", "data-language": fence[3] || null }, element("pre", { tabindex: "0" }, element("code", {}, code.join("\n")))));
    } else if (heading) {
      nodes.push(element(`h${heading[1].length}`, {}, ...inline(heading[2], context)));
      at += 1;
    } else if (RULE.test(line)) {
      nodes.push(element("hr"));
      at += 1;
    } else if (QUOTE.test(line) && depth < 8) {
      const inner = [];
      while (at < lines.length && (QUOTE.test(lines[at]) || (lines[at].trim() && !startsBlock(lines, at)))) {
        inner.push(lines[at].replace(QUOTE, ""));
        at += 1;
      }
      nodes.push(element("blockquote", {}, ...blocks(inner, context, depth + 1)));
    } else if (ITEM.test(line) && depth < 8) {
      const [made, end] = list(lines, at, context, depth);
      nodes.push(made);
      at = end;
    } else if (isTable(lines, at)) {
      const [made, end] = table(lines, at, context);
      nodes.push(made);
      at = end;
    } else {
      const start = at;
      at += 1;
      while (at < lines.length && lines[at].trim() && !startsBlock(lines, at)) at += 1;
      const text = lines.slice(start, at).map((part) => part.replace(/^ +/, "")).join("\n").trimEnd();
      const children = inline(text, context);
      if (tight && nodes.length === 0) nodes.push(...children);
      else nodes.push(element("p", {}, ...children));
    }
  }
  return nodes;
}

export function markdown(text, context = {}) {
  return blocks(text.replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n"), context, 0);
}
