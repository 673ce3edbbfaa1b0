// Shows the findings that are embedded in the page: filters, sorts, and opens them.
// All text from the report reaches the page as text nodes only, never as markup.
(function () {
  "use strict";

  const PAGE = 100; // findings added to the list at a time
  const PRINT_MOST = 200; // findings on paper, two or three to a sheet
  const at = (id) => document.getElementById(id);
  const app = at("app");

  const CODE = at("rows").dataset.code || null;
  const ROWS = JSON.parse(at("rows").textContent);
  const T = JSON.parse(at("tables").textContent);
  // The columns of a row, in the order in which they are written.
  const [ID, ACTION, SEVERITY, CATEGORY, CONFIDENCE, TITLE, MESSAGE, RULE, PATH, LINE, LAST,
    SNIPPET, SEEN, SOURCES, PACKAGE, ADVISORY, VERDICT, FIX, LICENSE, PLACES, MORE_PLACES, ORIGIN,
    BASE, STANDING] = Array.from({ length: 24 }, (_, column) => column);
  // A finding's base, deadline and waivers, in words. Most findings have none.
  function standingOf(row) {
    const base = row[BASE] < 0 ? null : T.bases[row[BASE]];
    const [deadline, waiver, voided, hidden] = row[STANDING].length ? row[STANDING] : [-1, -1, [], -1];
    return {
      base: base && { origin: base[0], reason: base[1], since: base[2] },
      deadline: deadline < 0 ? "" : T.lines[deadline],
      waiver: waiver < 0 ? null : T.waivers[waiver],
      voided: voided.map((line) => T.lines[line]),
      hidden: hidden < 0 ? "" : T.lines[hidden],
    };
  }
  const CATEGORY_NAMES = {
    vulnerability: "vulnerability", code: "code", secret: "secret",
    license: "licence", misconfiguration: "misconfiguration",
  };
  const number = (value) => value.toLocaleString("en");
  const findings = (count) => `${number(count)} ${count === 1 ? "finding" : "findings"}`;

  // ---- building elements -------------------------------------------------------------------

  function el(tag, given, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(given || {})) {
      if (value !== null && value !== undefined && value !== false) {
        made.setAttribute(key, value === true ? "" : value);
      }
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  function link(text, url) {
    if (!url || !/^https?:\/\//i.test(url)) return document.createTextNode(text);
    return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text);
  }

  const cut = (text, width) => (text.length > width ? text.slice(0, width - 1) + "…" : text);

  function joined(nodes, between) {
    return nodes.flatMap((node, index) => (index ? [between, node] : [node]));
  }

  function placeLink(path, line, shown) {
    if (!CODE) return el("code", null, shown);
    const url = CODE + path.split("/").map(encodeURIComponent).join("/") + (line ? `#L${line}` : "");
    return el("code", null, link(shown, url));
  }

  // ---- one finding -------------------------------------------------------------------------

  const scannersOf = T.witnesses.map((seen) => [...new Set(seen.map(([scanner]) => scanner))]);

  function placeOf(row) {
    if (row[PATH] < 0) return "";
    return T.lines[row[PATH]] + (row[LINE] ? `:${row[LINE]}` : "");
  }

  function packageOf(row) {
    if (row[PACKAGE] < 0) return "";
    const [name, version] = T.packages[row[PACKAGE]];
    return version ? `${name} ${version}` : name;
  }

  const bodies = new WeakMap(); // from a details element to the function that fills it

  function open(details) {
    bodies.get(details)();
    details.open = true;
  }

  function card(row) {
    const severity = T.severities[row[SEVERITY]];
    const action = T.actions[row[ACTION]];
    const title = T.lines[row[TITLE]];
    const fix = row[FIX] >= 0 ? T.lines[row[FIX]] : "";
    const confidence = T.categories[row[CATEGORY]] === "secret" && row[CONFIDENCE] >= 0 ? T.confidences[row[CONFIDENCE]] : "";
    const standing = standingOf(row);
    const alarms = row[ADVISORY] < 0 ? [] : T.advisories[row[ADVISORY]][3];
    const way = row[PACKAGE] < 0 ? "" : T.packages[row[PACKAGE]][4];
    const summary = el("summary", { class: `card-head sev-${severity}` },
      el("span", { class: "card-top" },
        el("span", { class: `sev sev-${severity}` }, severity),
        el("b", { class: "title" }, cut(title, 240)),
        standing.base ? el("span", { class: `origin origin-${T.origins[row[ORIGIN]]}` }, standing.base.origin) : null,
        el("span", { class: `action action-${action}` }, action)),
      el("span", { class: "where" },
        row[PATH] >= 0 ? el("code", null, placeOf(row)) : null,
        row[PACKAGE] >= 0 ? el("span", null, packageOf(row)) : null,
        el("span", null, T.rules[row[RULE]][0]),
        el("span", null, scannersOf[row[SEEN]].join(", ")),
        way ? el("span", { class: "way" }, way) : null),
      ...alarms.map((alarm) => el("span", { class: "alarm" }, alarm)),
      row[SNIPPET] >= 0 ? el("span", { class: "code" }, el("code", null, T.snippets[row[SNIPPET]])) : null,
      confidence ? el("span", { class: "quiet" }, confidence) : null,
      fix ? el("span", { class: "fix" }, fix) : null,
      standing.deadline ? el("span", { class: "due" }, standing.deadline) : null,
      ...standing.voided.map((why) => el("span", { class: "due" }, why)),
      standing.waiver ? el("span", { class: "quiet" }, standing.waiver[0]) : null,
      standing.hidden ? el("span", { class: "quiet" }, `suppressed in the source by ${standing.hidden}`) : null);
    const body = el("div", { class: "card-body" });
    const details = el("details", null, summary, body);
    bodies.set(details, () => fill(body, row));
    summary.addEventListener("click", bodies.get(details));
    return el("li", { class: "card", "data-id": row[ID] }, details);
  }

  function fill(body, row) {
    if (body.firstChild) return;
    const title = T.lines[row[TITLE]];
    const message = T.blocks[row[MESSAGE]];
    if (title.length > 240) body.append(el("p", { class: "long" }, title));
    if (message && message !== title) body.append(el("p", { class: "long" }, message));
    const list = el("dl", { class: "about" });
    for (const [term, content] of facts(row)) {
      if (content && content.length) list.append(el("div", null, el("dt", null, term), el("dd", null, ...content)));
    }
    body.append(list);
  }

  function facts(row) {
    const [ruleName, why] = T.verdicts[row[VERDICT]];
    return [
      ["Verdict", [el("b", null, T.actions[row[ACTION]]), ` by rule ${ruleName}: ${why}`]],
      ...standingFacts(standingOf(row)),
      ...helpFacts(row),
      ["Severity", severityFacts(row)],
      ["Found by", [el("ul", null, ...T.witnesses[row[SEEN]].map(([scanner, rule, severity]) =>
        el("li", null, `${scanner} as ${rule} (${severityWord(severity)})`)))]],
      ["Confidence", row[CONFIDENCE] < 0 ? [] : [T.confidences[row[CONFIDENCE]]]],
      ["Rule", ruleFacts(row)],
      ["Advisory", advisoryFacts(row)],
      ["Package", packageFacts(row)],
      ["References", pagesOf(row)],
      ["Licence", row[LICENSE] >= 0 ? [T.lines[row[LICENSE]]] : []],
      ["Place", placeFacts(row)],
      ["Link", [el("a", { href: `#finding=${encodeURIComponent(row[ID])}` }, row[ID]), ` (${CATEGORY_NAMES[T.categories[row[CATEGORY]]]})`]],
    ];
  }

  function helpFacts(row) {
    const [, , , , , help, why, example] = T.rules[row[RULE]];
    // The message of a vulnerability may begin with its description.
    const isRepeated = T.blocks[row[MESSAGE]].includes(why.slice(0, 80));
    return [
      [row[ADVISORY] < 0 ? "Why it matters" : "Description", isRepeated ? [] : [why]],
      ["What to do", row[FIX] < 0 ? [help] : []],
      ...example.map(([words, code]) => [words, [el("pre", { class: "example" }, el("code", null, code))]]),
    ];
  }

  function standingFacts({ base, deadline, waiver, voided }) {
    const since = base && base.since ? `; first seen ${base.since}` : "";
    return [
      ["Deadline", deadline ? [el("b", null, deadline)] : []],
      ["Waiver", waiver ? [el("span", { class: "waiver" }, el("b", null, waiver[0]), el("br"), waiver[1], el("br"), el("code", null, waiver[2]))] : []],
      ["Void waivers", voided.length ? [el("ul", null, ...voided.map((why) => el("li", null, why)))] : []],
      ["Origin", base ? [el("b", null, base.origin), `: ${base.reason}${since}`] : []],
    ];
  }

  const severityWord = (severity) =>
    T.severities[severity] === "unknown" ? "no severity" : T.severities[severity];

  // The deciding source first, then the claim of every source.
  function severityFacts(row) {
    const severity = T.severities[row[SEVERITY]];
    if (row[SOURCES] < 0) return [severity];
    const [by, dispute, words] = T.sources[row[SOURCES]];
    const unknown = severity === "unknown";
    const shown = words.filter(([, vector]) => words.length > 1 || vector || unknown).map(([word, vector]) =>
      el("li", null, word, vector ? " " : null, vector ? el("code", null, vector) : null));
    const head = unknown ? T.unrated[0] : by ? `${severity}, by ${by}` : severity;
    return [head, dispute ? el("span", { class: "dispute" }, dispute) : null, shown.length ? el("ul", null, ...shown) : null].filter(Boolean);
  }

  function ruleFacts(row) {
    const [id, name, title, url, weaknesses] = T.rules[row[RULE]];
    const cwes = weaknesses.flatMap(([cwe, page]) => [" · ", link(cwe, page)]);
    const named = name && name !== id ? ` ${name}` : "";
    const about = title && title !== T.lines[row[TITLE]] ? [el("br"), title] : [];
    return [link(id, url), named, ...cwes, ...about].filter(Boolean);
  }

  function advisoryFacts(row) {
    if (row[ADVISORY] < 0) return [];
    const [names, dates, url, alarms, likelihood] = T.advisories[row[ADVISORY]];
    const links = joined(names.map(([name, page], index) => link(name, index ? page : url || page)), " · ");
    const details = [...alarms, dates, likelihood].filter(Boolean);
    return [...links, el("ul", null, ...details.map((line) => el("li", null, line)))];
  }

  function pagesOf(row) {
    if (row[ADVISORY] < 0) return [];
    const [, , , , , pages, more] = T.advisories[row[ADVISORY]];
    if (!pages.length) return [];
    return [el("ul", null, ...pages.map(([text, url]) => el("li", null, link(text, url))),
      more ? el("li", null, `and ${number(more)} more in scanagg.json`) : null)];
  }

  function packageFacts(row) {
    if (row[PACKAGE] < 0) return [];
    const [, , purl, scope, way, asked] = T.packages[row[PACKAGE]];
    const lines = asked.map(([path, line]) => placeLink(path, line, path + (line ? `:${line}` : "")));
    return [el("code", null, purl), el("br"), way ? `${way}; ${scope}` : scope,
      ...(lines.length ? [el("br"), "required in ", ...joined(lines, ", ")] : [])];
  }

  function placeFacts(row) {
    if (row[PLACES].length) {
      const items = row[PLACES].map(([path, line]) =>
        el("li", null, placeLink(T.lines[path], line, T.lines[path] + (line ? `:${line}` : ""))));
      if (row[MORE_PLACES]) items.push(el("li", null, `and ${number(row[MORE_PLACES])} more in scanagg.json`));
      return [el("ul", null, ...items)];
    }
    if (row[PATH] < 0) return [];
    const range = row[LAST] && row[LAST] !== row[LINE] ? ` to line ${row[LAST]}` : "";
    return [placeLink(T.lines[row[PATH]], row[LINE], placeOf(row)), range].filter(Boolean);
  }

  // ---- the state of the page, kept in the address ---------------------------------------

  const SETS = { action: [ACTION, T.actions], origin: [ORIGIN, T.origins], severity: [SEVERITY, T.severities], category: [CATEGORY, T.categories] };
  const collator = new Intl.Collator("en", { numeric: true });
  const byText = (text) => (a, b) => {
    const [left, right] = [text(a), text(b)];
    if (!left || !right) return left ? -1 : right ? 1 : 0;
    return left === right ? 0 : collator.compare(left, right);
  };
  const SORTS = {
    "": ["Most urgent first", null],
    severity: ["Severity", (a, b) => a[SEVERITY] - b[SEVERITY]],
    category: ["Category", (a, b) => a[CATEGORY] - b[CATEGORY]],
    scanner: ["Scanner", byText((row) => scannersOf[row[SEEN]].join())],
    package: ["Package", byText(packageOf)],
    place: ["Place", (a, b) => byText((row) => (row[PATH] < 0 ? "" : T.lines[row[PATH]]))(a, b) || (a[LINE] || 0) - (b[LINE] || 0)],
    title: ["Title", byText((row) => T.lines[row[TITLE]])],
  };
  const emptyState = () => ({ q: "", action: new Set(), origin: new Set(), severity: new Set(), category: new Set(), scanner: "", package: "", sort: "", finding: "" });
  let state = emptyState();
  let matching = ROWS;
  let shown = 0;

  function readHash() {
    const given = new URLSearchParams(location.hash.slice(1));
    const read = emptyState();
    for (const key of ["q", "scanner", "package", "sort", "finding"]) read[key] = given.get(key) || "";
    for (const [key, [, names]] of Object.entries(SETS)) {
      read[key] = new Set((given.get(key) || "").split(",").filter((name) => names.includes(name)));
    }
    if (!SORTS[read.sort]) read.sort = "";
    return read;
  }

  function writeHash() {
    const parts = [];
    for (const [key, value] of Object.entries(state)) {
      const text = value instanceof Set ? [...value].join(",") : value;
      if (text) parts.push(`${key}=${encodeURIComponent(text).replace(/%2C/g, ",")}`);
    }
    history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname + location.search);
  }

  const wordsOf = ({ deadline, waiver, voided, hidden }) => [deadline, ...(waiver || []), ...voided, hidden];

  let texts = null; // the text that the search looks through, made on first use
  function textOf(index) {
    if (!texts) texts = new Array(ROWS.length);
    if (texts[index] === undefined) {
      const row = ROWS[index];
      const names = row[ADVISORY] < 0 ? [] : T.advisories[row[ADVISORY]][0].map(([name]) => name);
      texts[index] = [
        row[ID], T.lines[row[TITLE]], T.blocks[row[MESSAGE]], placeOf(row), packageOf(row),
        ...T.rules[row[RULE]].slice(0, 2), row[SNIPPET] < 0 ? "" : T.snippets[row[SNIPPET]],
        row[LICENSE] < 0 ? "" : T.lines[row[LICENSE]], ...names,
        ...T.rules[row[RULE]][4].map(([cwe]) => cwe), ...scannersOf[row[SEEN]], ...wordsOf(standingOf(row)),
      ].join("\n").toLowerCase();
    }
    return texts[index];
  }

  function apply() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const sets = Object.entries(SETS)
      .filter(([key]) => state[key].size)
      .map(([key, [column, names]]) => [column, new Set([...state[key]].map((name) => names.indexOf(name)))]);
    matching = ROWS.filter((row, index) =>
      (!state.finding || row[ID] === state.finding) &&
      sets.every(([column, wanted]) => wanted.has(row[column])) &&
      (!state.scanner || scannersOf[row[SEEN]].includes(state.scanner)) &&
      (!state.package || (row[PACKAGE] >= 0 && T.packages[row[PACKAGE]][0] === state.package)) &&
      words.every((word) => textOf(index).includes(word)));
    const compare = SORTS[state.sort][1];
    if (compare) matching.sort(compare);
    list.replaceChildren();
    shown = 0;
    showMore(PAGE);
    if (state.finding && list.firstChild) open(list.querySelector("details"));
  }

  // ---- the list ----------------------------------------------------------------------------

  const list = at("list");
  const more = at("more");

  function showMore(count) {
    const added = matching.slice(shown, shown + count).map(card);
    list.append(...added);
    shown += added.length;
    const left = matching.length - shown;
    more.hidden = left === 0;
    more.textContent = `Show ${number(Math.min(PAGE, left))} more of ${number(left)}`;
    announce();
    return added;
  }

  function announce() {
    const all = ROWS.length;
    const filtered = matching.length !== all || isFiltered();
    let text = filtered ? `${number(matching.length)} of ${findings(all)}` : findings(all);
    if (matching.length === 0) text = `No matches in ${findings(all)}`;
    if (shown < matching.length) text += `, the first ${number(shown)} shown`;
    at("result").textContent = text;
    at("reset").hidden = !isFiltered();
    at("open-all").hidden = matching.length === 0;
  }

  const isFiltered = () =>
    Object.entries(state).some(([key, value]) => key !== "sort" && (value instanceof Set ? value.size : value));

  // ---- controls ----------------------------------------------------------------------------

  function chips(key, titles) {
    const [column, names] = SETS[key];
    const counts = new Array(names.length).fill(0);
    for (const row of ROWS) counts[row[column]] += 1;
    names.forEach((name, index) => {
      if (!counts[index]) return;
      const box = el("input", { type: "checkbox", value: name });
      box.addEventListener("change", () => {
        if (box.checked) state[key].add(name); else state[key].delete(name);
        changed();
      });
      at(`by-${key}`).append(el("label", { class: "chip" }, box, el("span", null,
        key === "severity" ? el("i", { class: `dot fill-${name}` }) : null,
        `${(titles || {})[name] || name} `, el("small", null, number(counts[index])))));
    });
  }

  function choices(id, names, any) {
    at(id).append(el("option", { value: "" }, any),
      ...[...names].sort(collator.compare).map((name) => el("option", { value: name }, name)));
    at(id).addEventListener("change", () => { state[id] = at(id).value; changed(); });
  }

  function changed() {
    state.finding = "";
    writeHash();
    apply();
  }

  function syncControls() {
    at("q").value = state.q;
    for (const id of ["sort", "scanner", "package"]) at(id).value = state[id];
    for (const key of Object.keys(SETS)) {
      for (const box of at(`by-${key}`).querySelectorAll("input")) box.checked = state[key].has(box.value);
    }
  }

  function fromHash() {
    // An anchor such as #coverage does not change the state.
    if (location.hash && !location.hash.includes("=")) return false;
    state = readHash();
    syncControls();
    apply();
    return Boolean(location.hash);
  }

  function showFindings() {
    at("findings").scrollIntoView();
    at("findings").focus({ preventScroll: true });
  }

  chips("action");
  chips("origin");
  at("by-origin").hidden = T.origins.length === 0;
  chips("severity");
  chips("category", CATEGORY_NAMES);
  choices("scanner", new Set(scannersOf.flat()), "Any scanner");
  choices("package", new Set(T.packages.map(([name]) => name)), "Any package");
  for (const [key, [name]] of Object.entries(SORTS)) at("sort").append(el("option", { value: key }, name));
  at("sort").addEventListener("change", () => { state.sort = at("sort").value; changed(); });
  let typing = 0;
  at("q").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { state.q = at("q").value.trim(); changed(); }, 150);
  });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("reset").addEventListener("click", () => {
    state = { ...emptyState(), sort: state.sort };
    syncControls();
    changed();
    at("q").focus();
  });
  at("open-all").addEventListener("click", () => {
    for (const part of list.querySelectorAll("details")) open(part);
  });
  more.addEventListener("click", () => {
    const added = showMore(PAGE);
    added[0].querySelector("summary").focus();
  });
  addEventListener("hashchange", () => { if (fromHash()) showFindings(); });
  // A click on a link to the current address changes no hash.
  document.addEventListener("click", (event) => {
    const clicked = event.target.closest("a[data-filter]");
    if (clicked && clicked.getAttribute("href") === location.hash) showFindings();
  });

  // ---- print -------------------------------------------------------------------------------

  // Runs before page.js, which opens what is closed.
  let before = null; // number of findings shown before printing
  addEventListener("beforeprint", () => {
    before = shown;
    if (shown < PRINT_MOST) showMore(PRINT_MOST - shown);
    for (const part of list.querySelectorAll("details")) bodies.get(part)();
    at("print-note").textContent = shown < matching.length
      ? `Printed: the first ${number(shown)} of ${findings(matching.length)}. scanagg.json has all of them.` : "";
  });
  addEventListener("afterprint", () => {
    while (list.children.length > before) list.lastChild.remove();
    shown = before;
    showMore(0);
  });

  if (matchMedia("(max-width: 40rem)").matches) at("more-filters").open = false;
  at("static").remove();
  app.hidden = false;
  if (!fromHash()) apply(); else showFindings();
})();
