// The page of `live_room` in a real browser: three people in a room that is ten times too hot,
// then one who comes late, then a host and his guests, then the page as different people see it.
//
// usage: node test.mjs PATH_OF_LIVE_ROOM

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

import { access } from './access.mjs';
import { history } from './history.mjs';
import { moderation } from './moderation.mjs';
import { counts, expect, isOpen, open, test, until } from './pages.mjs';
import { Server } from './server.mjs';

/** Frames in a second: far below what any screen shows, far above a page that hangs. */
const FEWEST_FRAMES = 5;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/** What a WebSocket that says `frame` is told, and how it is closed. */
const converse = (page, query, frame) => page.evaluate(([query, frame]) => new Promise((resolve) => {
  const replies = [];
  const socket = new WebSocket(`ws://${location.host}/ws?${query}`);
  const done = (close) => {
    resolve({ replies, ...close });
    socket.close();
  };
  socket.onopen = () => socket.send(frame);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'batch' || message.type === 'stats') return;
    replies.push(message);
    if (message.type === 'outcome') done({});
  };
  socket.onclose = ({ code, reason }) => done({ code, reason });
}), [query, frame]);

const server = await Server.start(process.argv[2], ['--speed', '10', '--likes', '10000', '--listen', '127.0.0.1:0']);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
const pictures = await mkdtemp(join(tmpdir(), 'live-room-'));
const wide = { width: 1280, height: 800 };

const kim = await open(browser, server.url, wide);
const lee = await open(browser, `${server.url}?name=lee`, wide);
const guest = await open(browser, `${server.url}?guest`, { width: 390, height: 844 });
const everyone = [kim, lee, guest];

await test('kim joins by name at the door', async () => {
  await kim.fill('#nick', 'kim');
  await kim.click('#join-named');
  await isOpen(kim);
  await until('kim is named', async () => (await kim.textContent('#who')).includes('kim'));
});

await test('lee and a guest come in by their addresses', async () => {
  await isOpen(lee);
  await isOpen(guest);
});

await test('what kim says flies over the stage of lee and of the guest, and kim is told that it went out', async () => {
  await until('the text goes out', async () => {
    // In a room this hot a text may be shed; its sender is told, and says it again.
    await kim.fill('#text', 'hello from kim');
    await kim.click('#send');
    const outcome = kim.locator('#mine li', { hasText: 'hello from kim' }).last().locator('.outcome:not([data-state=waiting])');
    return (await outcome.getAttribute('data-state')) === 'dispatched';
  });
  for (const page of [lee, guest]) {
    await until('the text arrives', () => page.heard.some(({ nick, text }) => nick === 'kim' && text === 'hello from kim'));
  }
});

await test('a gift of kim is a card at lee and at the guest, and kim is told that it went out', async () => {
  await kim.click('#gifts [data-gift=rocket]');
  for (const page of [lee, guest]) await page.locator('.gift-card[data-gift=rocket]', { hasText: 'kim' }).first().waitFor();
  await kim.locator('#mine li', { hasText: 'rocket' }).locator('.outcome[data-state=dispatched]').waitFor();
});

await test('the guest may not speak, on the page and past it', async () => {
  expect(await guest.isDisabled('#text'), 'the guest can write');
  expect(await guest.isVisible('#notice'), 'the guest is not told why');
  const { replies } = await converse(guest, 'guest', JSON.stringify({ type: 'say', id: 7, text: 'psst' }));
  const outcome = replies.find(({ type }) => type === 'outcome');
  expect(outcome?.id === 7 && outcome.state === 'refused', JSON.stringify(replies));
});

await test('the room is too hot: likes and what would be late are shed', async () => {
  await until('both are shed', () => {
    const { normal, low } = kim.stats?.ledger ?? {};
    return normal?.refused.congested > 100 && low?.dropped.congested > 10_000;
  });
});

await test('whoever says something in the hot room is told that it was sent, or when to try again', async () => {
  const times = [];
  for (let said = 0; said < 8; said += 1) {
    // In one step of the page: from the click until the words stand there.
    const { words, ms } = await lee.evaluate((text) => new Promise((resolve) => {
      document.getElementById('text').value = text;
      const start = performance.now();
      document.getElementById('send').click();
      const outcome = document.getElementById('mine').lastElementChild.querySelector('.outcome');
      const look = () => {
        if (outcome.dataset.state !== 'waiting') resolve({ words: outcome.textContent, ms: performance.now() - start });
      };
      new MutationObserver(look).observe(outcome, { attributes: true, childList: true });
      look();
    }), `line ${said} of lee`);
    expect(/^(sent #[\d,]+|busy, again in (a second|\d+ s))$/.test(words), words);
    times.push(Math.round(ms));
  }
  console.log(`        told after ${times.sort((a, b) => a - b).join(', ')} ms`);
});

await test('ten gifts within the flood all arrive', async () => {
  for (let sent = 0; sent < 10; sent += 1) await kim.click('#gifts [data-gift=rose]');
  for (const page of [lee, guest]) {
    const roses = () => page.heard.filter(({ what, nick, name }) => what === 'gift' && nick === 'kim' && name === 'rose').length;
    await until('ten roses', () => roses() >= 10);
    await page.waitForTimeout(300);
    expect(roses() === 10, `${roses()} roses`);
  }
  const { high } = kim.stats.ledger;
  expect(Object.keys({ ...high.refused, ...high.dropped }).length === 0, JSON.stringify(high));
});

await test('the books balance on every page, all the time', async () => {
  for (let look = 0; look < 20; look += 1) {
    for (const page of everyone) {
      for (const id of ['balance', 'delivery-balance']) {
        expect((await page.getAttribute(`#${id}`, 'data-balanced')) === 'yes', await page.textContent(`#${id}`));
      }
    }
    await kim.waitForTimeout(60);
  }
});

await test('every like counts, shed or not, and everyone sees the total', async () => {
  const total = async (page) => Number((await page.textContent('#like-total')).replace(/\D/g, ''));
  await lee.locator('#likes').fill('0');
  for (const page of everyone) {
    await until('the total is the number of likes that were offered', async () => {
      const { submitted, dispatched } = page.stats.ledger.low;
      return dispatched * 5 < submitted && (await total(page)) === submitted;
    });
  }
});

await test('lee turns the likes up for all', async () => {
  await lee.locator('#likes').fill('20');
  await until('kim sees it', async () => (await kim.textContent('output[for=likes]')) === '10');
  await lee.locator('#likes').fill('80');
  await until('kim sees it', async () => (await kim.textContent('output[for=likes]')) === '10,000');
});

await test('a broken and an oversized frame close their own connection, with a reason', async () => {
  for (const frame of ['nonsense', JSON.stringify({ type: 'say', id: 1, text: 'x'.repeat(20_000) })]) {
    const { replies, code, reason } = await converse(lee, 'name=mallory', frame);
    const bye = replies.find(({ type }) => type === 'bye');
    expect(bye?.reason && reason && code > 1_000, JSON.stringify({ replies, code, reason }));
  }
  for (const page of everyone) expect(await page.isVisible('#status[data-state=open]'), 'another connection was closed too');
});

await test('the pages go on drawing', async () => {
  for (const page of everyone) {
    await page.bringToFront();
    const frames = await page.evaluate(() => new Promise((resolve) => {
      let count = 0;
      const end = performance.now() + 3_000;
      const frame = (now) => {
        count += 1;
        if (now < end) requestAnimationFrame(frame);
        else resolve(count);
      };
      requestAnimationFrame(frame);
    }));
    console.log(`        ${Math.round(frames / 3)} frames a second`);
    expect(frames / 3 >= FEWEST_FRAMES, `${frames} frames in 3 s`);
  }
});

await test('no page has met an error', async () => {
  await kim.screenshot({ path: join(pictures, 'wide.png') });
  await guest.screenshot({ path: join(pictures, 'narrow.png') });
  console.log(`        pictures are in ${pictures}`);
  for (const page of everyone) expect(page.errors.length === 0, page.errors.join('; '));
});

await test('a second server on the same port says so in one line', async () => {
  const { status, errors } = await Server.fail(process.argv[2], ['--listen', new URL(server.url).host]);
  expect(status === 2 && errors.trim().split('\n').length === 1 && errors.includes(new URL(server.url).port), `${status}: ${errors}`);
});

await test('Ctrl-C says goodbye to the pages, prints the ledger and ends with status 0', async () => {
  const { status, output } = await server.interrupt();
  expect(status === 0, `status ${status}: ${output}`);
  for (const words of ['MESSAGES', 'dispatched', 'DELIVERIES', 'the books balance']) expect(output.includes(words), output);
  for (const page of everyone) await until('a goodbye', () => page.byes.includes('the room was closed'));
  await until('kim sees it', async () => ['waiting', 'connecting'].includes(await kim.getAttribute('#status', 'data-state')));
});

server.kill();
// Their room is gone, and they would go on drawing beside the next one's.
for (const page of everyone) await page.context().close();
await history(browser, process.argv[2], pictures);
await moderation(browser, process.argv[2], pictures);
await access(browser, process.argv[2], pictures);
await browser.close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
