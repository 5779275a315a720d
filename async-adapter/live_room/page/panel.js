// The engine's panel: what the room is doing, whether its books balance, and the crowd's controls.

import { Chart, short } from './chart.js';
import { t } from './language.js';

const LEVELS = [
  { key: 'high', name: 'high', what: 'gifts' },
  { key: 'normal', name: 'normal', what: 'chat' },
  { key: 'low', name: 'low', what: 'likes' },
  { key: 'lowest', name: 'lowest', what: '' },
];
const COLUMNS = ['submitted', 'refused', 'dropped', 'merged', 'dispatched', 'queued'];
const DELIVERIES = ['due', 'delivered', 'skipped', 'pending', 'excluded', 'abandoned'];
const THROTTLE_MS = 120;
/** For so long after a touch the sliders do not follow the server. */
const HANDS_OFF_MS = 1_500;

/** Not before the room itself has been shown, but so often at the least. */
const LATEST_MS = 500;
const whenIdle = window.requestIdleCallback ?? ((show) => setTimeout(show, THROTTLE_MS));

const full = (number) => number.toLocaleString('en');
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

export class Panel {
  #find; #chart; #limits = { rate: 1, queue_capacity: 1 }; #queue = {}; #cells = {}; #foot = {}; #deliveries = {};
  #touched = 0; #sending = 0; #controls; #latest = null;

  /** `onControls(change)` is told new settings of the crowd, `onReset()` to start again. */
  constructor(root, { onControls, onReset }) {
    this.#find = (id) => root.querySelector(`#${id}`);
    this.#chart = new Chart(this.#find('chart'), LEVELS.map(({ key, name, what }) => ({ key, name: t(what || name) })));
    this.#build();
    this.#bindControls(onControls);
    this.#find('reset').addEventListener('click', onReset);
  }

  /** Light and dark have each their own colours. */
  recolour() {
    this.#chart.recolour();
  }

  greet({ rate, queue_capacity }) {
    this.#limits = { rate, queue_capacity };
    this.#find('rate').textContent = t('of {count}', { count: full(rate) });
    this.#find('rate').title = t('the room sends {count} messages a second', { count: full(rate) });
  }

  /** Shows how the engine is doing, when the page has a moment: what people say comes first. */
  stats(stats) {
    if (this.#latest === null) {
      whenIdle(() => {
        const latest = this.#latest;
        this.#latest = null;
        this.#show(latest);
      }, { timeout: LATEST_MS });
    }
    this.#latest = stats;
  }

  #show(stats) {
    write(this.#find('audience'), short(stats.audience));
    write(this.#find('users'), short(stats.users));
    write(this.#find('tokens'), full(stats.tokens));
    this.#find('tokens-bar').style.transform = `scaleX(${clamp(stats.tokens / this.#limits.rate)})`;
    this.#showQueue(stats.queue);
    this.#showLedger(stats.ledger);
    this.#showDeliveries(stats.deliveries);
    this.#showControls(stats.crowd.controls);
    write(this.#find('steering'), stats.visitors > 1 ? t('shared by the {count} people here', { count: full(stats.visitors) }) : '');
    this.#chart.add(stats.at_ms, Object.fromEntries(LEVELS.map(({ key }) => {
      const row = totals(stats.ledger[key]);
      return [key, { offered: row.submitted, dispatched: row.dispatched, shed: row.refused + row.dropped }];
    })));
  }

  #build() {
    for (const level of LEVELS) {
      const item = make('li', { level: level.key });
      const track = make('span', {}, 'track');
      const fill = make('span', {}, 'fill');
      const number = make('span', {}, 'number');
      track.append(fill);
      item.append(levelName('span', level), track, number);
      this.#find('queue').append(item);
      this.#queue[level.key] = { fill, number };

      const row = make('tr', { level: level.key });
      const head = levelName('th', level);
      head.scope = 'row';
      row.append(head);
      this.#cells[level.key] = cells(row);
      this.#find('ledger').tBodies[0].append(row);
    }
    const foot = this.#find('ledger').createTFoot().insertRow();
    const head = make('th', {});
    head.textContent = t('all');
    head.scope = 'row';
    foot.append(head);
    this.#foot = cells(foot);
    for (const column of DELIVERIES) {
      const pair = make('div', { column });
      const [term, value] = [make('dt', {}), make('dd', {})];
      term.textContent = t(column);
      pair.append(term, value);
      this.#find('deliveries').append(pair);
      this.#deliveries[column] = { pair, value };
    }
  }

  #showQueue(queue) {
    const total = sum(LEVELS.map(({ key }) => queue[key]));
    write(this.#find('queue-total'), t('{some} of {all}', { some: full(total), all: full(this.#limits.queue_capacity) }));
    for (const { key } of LEVELS) {
      this.#queue[key].fill.style.transform = `scaleX(${clamp(queue[key] / this.#limits.queue_capacity)})`;
      write(this.#queue[key].number, full(queue[key]));
    }
  }

  #showLedger(ledger) {
    const all = Object.fromEntries([...COLUMNS, 'under_review'].map((column) => [column, 0]));
    const reasons = new Map();
    let balanced = true;
    for (const { key } of LEVELS) {
      const row = totals(ledger[key]);
      balanced &&= row.submitted === sum(parts(row));
      for (const column of Object.keys(all)) all[column] += row[column];
      for (const column of COLUMNS) setNumber(this.#cells[key][column], row[column]);
      for (const [reason, count] of [...Object.entries(ledger[key].refused), ...Object.entries(ledger[key].dropped)]) {
        reasons.set(reason, (reasons.get(reason) ?? 0) + count);
      }
    }
    for (const column of COLUMNS) setNumber(this.#foot[column], all[column]);
    const balance = this.#find('balance');
    balance.dataset.balanced = balanced ? 'yes' : 'no';
    write(balance, balanced
      ? t('books balance: {left} = {right} ✓', { left: full(all.submitted), right: full(sum(parts(all))) })
      : t('books do not balance: {left} ≠ {right}', { left: full(all.submitted), right: full(sum(parts(all))) }));
    balance.title = t('submitted = refused + dropped + merged + dispatched + queued + under review, on each level');
    const shed = [...reasons].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
    write(this.#find('reasons'), shed.length === 0
      ? t('nothing was shed')
      : t('shed: {reasons}', { reasons: shed.map(([reason, count]) => `${t(reason)} ${full(count)}`).join(' · ') }));
  }

  #showDeliveries(deliveries) {
    const all = {};
    let balanced = true;
    for (const column of DELIVERIES) all[column] = sum(LEVELS.map(({ key }) => deliveries[key][column]));
    for (const { key } of LEVELS) {
      const { due, ...fates } = deliveries[key];
      balanced &&= due === sum(Object.values(fates));
    }
    for (const column of DELIVERIES) {
      const { pair, value } = this.#deliveries[column];
      write(value, short(all[column]));
      value.title = full(all[column]);
      pair.toggleAttribute('data-zero', all[column] === 0);
    }
    const balance = this.#find('delivery-balance');
    balance.dataset.balanced = balanced ? 'yes' : 'no';
    write(balance, balanced ? t('each accounted for: {count} ✓', { count: full(all.due) }) : t('{count} due, and not all accounted for', { count: full(all.due) }));
  }

  #bindControls(onControls) {
    const likes = {
      // Evenly spread over the powers of ten from 1 to 100,000, and 0.
      read: (at) => (at === 0 ? 0 : Number((10 ** (at / 20)).toPrecision(2))),
      place: (value) => (value === 0 ? 0 : Math.round(20 * Math.log10(value))),
    };
    const plain = { read: (at) => at, place: (value) => value };
    this.#controls = [
      { id: 'speed', key: 'speed', ...plain, show: (value) => `${value}×` },
      { id: 'likes', key: 'likes', ...likes, show: full },
      { id: 'gift-rate', key: 'gifts', ...plain, show: full },
      { id: 'slow', key: 'slow', ...plain, show: (value) => `${value}%` },
    ];
    let change = {};
    for (const { id, key, read, show } of this.#controls) {
      const input = this.#find(id);
      input.addEventListener('input', () => {
        const value = read(Number(input.value));
        input.previousElementSibling.textContent = show(value);
        this.#touched = performance.now();
        change[key] = value;
        this.#sending ||= setTimeout(() => {
          this.#sending = 0;
          onControls(change);
          change = {};
        }, THROTTLE_MS);
      });
    }
  }

  #showControls(controls) {
    if (performance.now() - this.#touched < HANDS_OFF_MS) return;
    for (const { id, key, place, show } of this.#controls) {
      const input = this.#find(id);
      input.value = place(controls[key]);
      input.previousElementSibling.textContent = show(controls[key]);
    }
  }
}

/** A ledger row with its reasons added up. */
function totals(row) {
  return { ...row, refused: sum(Object.values(row.refused)), dropped: sum(Object.values(row.dropped)) };
}

function parts(row) {
  return [row.refused, row.dropped, row.merged, row.dispatched, row.queued, row.under_review];
}

function cells(row) {
  return Object.fromEntries(COLUMNS.map((column) => {
    const cell = row.insertCell();
    cell.dataset.column = column;
    return [column, cell];
  }));
}

/** Changes words only where they change: each change costs a layout. */
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function setNumber(cell, number) {
  write(cell, number < 1e7 ? full(number) : short(number));
  cell.title = full(number);
  cell.toggleAttribute('data-zero', number === 0);
}

function make(tag, data, className = '') {
  const element = document.createElement(tag);
  Object.assign(element.dataset, data);
  element.className = className;
  return element;
}

function levelName(tag, { name, what }) {
  const element = make(tag, {}, 'level');
  element.textContent = what ? `${t(what)} ` : t(name);
  if (what) {
    const small = document.createElement('small');
    small.textContent = t(name);
    element.append(small);
  }
  return element;
}

function clamp(share) {
  return Math.min(1, Math.max(0, share || 0));
}
