// The page for everyone: in a crowd, read aloud, without motion, light and dark, small, and in Japanese.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';

import { JA } from '../../async-adapter/live_room/page/words.js';
import { expect, isOpen, open, test, until } from './pages.mjs';
import { Server } from './server.mjs';

const SOURCES = new URL('../../async-adapter/live_room/page/', import.meta.url);
const WIDE = { width: 1280, height: 800 };
const SMALL = { width: 1024, height: 600 };

/** What axe finds wrong with the page as it is. */
async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => (await window.axe.run(document)).violations);
  return found.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map(({ target, any }) => `${target} ${any[0]?.message ?? ''}`).join(' | ')}`);
}

/** Pieces of the page that lie over one another or outside the window, though none should. */
const misplaced = (page) => page.evaluate(() => {
  const pieces = ['#top > *', '#facts', '#cards > :not(.leaving)', '#mine', '#bar', '#join', '#transcript', '#panel', '#notice span']
    .flatMap((selector) => [...document.querySelectorAll(selector)])
    // What is still on its way in is looked at where it comes to rest.
    .filter((element) => element.checkVisibility() && element.getAnimations().length === 0)
    .map((element) => ({ name: element.id || element.className, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0 && box.height > 0);
  const wrong = [];
  const door = document.querySelector('#join').checkVisibility();
  pieces.forEach(({ name, box }, index) => {
    if (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) wrong.push(`${name} is clipped`);
    for (const other of pieces.slice(index + 1)) {
      // The door stands before the room.
      if (door && [name, other.name].some((one) => ['join', 'facts', 'mine', 'gift-card', 'superchat-card', 'guard-card', ''].includes(one))) continue;
      const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
      const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
      if (across > 1 && down > 1) wrong.push(`${name} lies over ${other.name}`);
    }
  });
  for (const element of document.querySelectorAll('#bar button, #bar input, #top h1, #join button')) {
    if (element.checkVisibility() && element.scrollWidth > element.clientWidth + 1) wrong.push(`the words of ${element.id || element.textContent} are clipped`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page is wider than the window');
  return wrong;
});

const background = (page) => page.evaluate(() => getComputedStyle(document.querySelector('#panel')).backgroundColor);
const DARK = 'rgb(10, 11, 19)';
const LIGHT = 'rgb(255, 255, 255)';

/** Starts a hot room of its own and looks at its page in many ways. */
export async function access(browser, program, pictures) {
  const server = await Server.start(program, ['--speed', '10', '--likes', '10000', '--listen', '127.0.0.1:0']);
  const snap = (page, name) => page.screenshot({ path: join(pictures, name) });
  const kim = await open(browser, `${server.url}?name=kim`, WIDE, { colorScheme: 'dark' });
  await isOpen(kim);

  await test('names stay on a crowded stage', async () => {
    await until('the stage is full', () => kim.isVisible('#unseen'));
    for (let look = 0; look < 10; look += 1) {
      const { flyers, nameless } = await kim.evaluate(() => {
        const flyers = [...document.querySelectorAll('.flyer:not(.gap)')];
        return { flyers: flyers.length, nameless: flyers.filter((flyer) => flyer.firstElementChild.hidden).length };
      });
      expect(flyers > 5 && nameless === 0, `${nameless} of ${flyers} have no name`);
      await kim.waitForTimeout(100);
    }
    await snap(kim, 'crowded.png');
  });

  await test('the transcript has what was said, and is read aloud a few times a minute', async () => {
    await until('rows', async () => (await kim.locator('#transcript-list li').count()) > 20);
    const { changes, polite, list } = await kim.evaluate(() => new Promise((resolve) => {
      let changes = 0;
      const aloud = document.getElementById('aloud');
      new MutationObserver(() => { changes += 1; }).observe(aloud, { childList: true });
      const list = document.getElementById('transcript-list').ariaLive;
      setTimeout(() => resolve({ changes, polite: aloud.ariaLive, list }), 9_000);
    }));
    expect(polite === 'polite' && list === 'off' && changes >= 1 && changes <= 2, `${changes} in 9 s, ${polite}, ${list}`);
    const row = await kim.locator('#transcript-list li:has(.nick)').last().textContent();
    expect(kim.heard.some(({ nick, text }) => text && row === `${nick} ${text}`) || /×|💬|guard/.test(row), row);
    expect((await kim.locator('#transcript-list li').count()) <= 150, 'the transcript grows for ever');
  });

  await test('with reduced motion nothing flies', async () => {
    const still = await open(browser, `${server.url}?name=sam`, WIDE, { reducedMotion: 'reduce' });
    await isOpen(still);
    await still.click('#like');
    await still.locator('.flyer').first().waitFor({ state: 'attached' });
    const moved = await still.evaluate(async () => {
      const places = () => new Map([...document.querySelectorAll('.flyer, .heart, .finale')].map((flyer) => [flyer, flyer.getBoundingClientRect().left]));
      const before = places();
      await new Promise((resolve) => setTimeout(resolve, 600));
      const after = places();
      return [...before].filter(([flyer, left]) => after.has(flyer) && Math.abs(after.get(flyer) - left) > 1).length;
    });
    await snap(still, 'reduced-motion.png');
    expect(moved === 0, `${moved} moved`);
    // Its colours are read from the style sheet, where a transition would answer the old ones.
    const tile = await still.evaluate(() => document.getElementById('chart').getContext('2d').getImageData(30, 30, 1, 1).data[3]);
    expect(tile > 0 && tile < 60, `the chart stands on a ground of opacity ${tile}`);
    await still.context().close();
  });

  await test('the theme is the one that the browser prefers, until it is switched, which is remembered', async () => {
    expect((await background(kim)) === DARK, await background(kim));
    const light = await open(browser, `${server.url}?guest`, WIDE, { colorScheme: 'light' });
    await isOpen(light);
    expect((await background(light)) === LIGHT, await background(light));
    await light.click('#theme');
    expect((await background(light)) === DARK, 'the switch does nothing');
    await light.reload();
    expect((await background(light)) === DARK, 'the switch is forgotten');
    await light.context().close();
  });

  for (const [locale, colorScheme] of [['en-US', 'dark'], ['en-US', 'light'], ['ja-JP', 'dark'], ['ja-JP', 'light']]) {
    await test(`axe finds nothing wrong, and nothing is clipped at 1024×600: ${locale}, ${colorScheme}`, async () => {
      const page = await open(browser, server.url, SMALL, { locale, colorScheme });
      await until('it is connected', async () => (await page.getAttribute('#status', 'data-state')) === 'open');
      const door = [...await violations(page), ...await misplaced(page)];
      await snap(page, `door-${locale}-${colorScheme}.png`);
      await page.fill('#nick', `${locale} ${colorScheme}`);
      await page.click('#join-named');
      await until('it may speak', () => page.isEnabled('#send'));
      for (const text of ['one', 'two', 'three', 'four']) {
        await page.fill('#text', text);
        await page.click('#send');
      }
      for (const gift of ['rose', 'lantern', 'rocket']) await page.click(`#gifts [data-gift=${gift}]`);
      await page.locator('.gift-card').first().waitFor();
      await page.waitForTimeout(700);
      const room = [...await misplaced(page), ...await violations(page)];
      await snap(page, `small-${locale}-${colorScheme}.png`);
      await page.context().close();
      expect(door.length + room.length === 0, `door: ${door.join('; ')} room: ${room.join('; ')}`);
    });
  }

  await test('the language is that of the browser, until it is switched, which is remembered', async () => {
    const page = await open(browser, `${server.url}?name=yuki`, WIDE, { locale: 'ja-JP' });
    await isOpen(page);
    expect((await page.textContent('#send')) === '送信' && (await page.getAttribute('html', 'lang')) === 'ja', 'it is not Japanese');
    await snap(page, 'japanese.png');
    await page.click('#language');
    await until('it is English', async () => (await page.textContent('#send')) === 'Send');
    await page.reload();
    expect((await page.textContent('#send')) === 'Send', 'the switch is forgotten');
    await page.context().close();
  });

  await test('the table has all that the page says', async () => {
    const words = new Set();
    for (const name of (await readdir(SOURCES)).filter((name) => name.endsWith('.js') && !['words.js', 'demo.js'].includes(name))) {
      const source = await readFile(new URL(name, SOURCES), 'utf8');
      for (const [, key] of source.matchAll(/(?<![\w.])t\('([^']+)'/g)) words.add(key);
    }
    const plain = await open(browser, `${server.url}?guest`, WIDE);
    for (const key of await plain.evaluate(async () => {
      const html = new DOMParser().parseFromString(await (await fetch('/')).text(), 'text/html');
      const texts = html.createTreeWalker(html.body, NodeFilter.SHOW_TEXT);
      const keys = [];
      while (texts.nextNode()) keys.push(texts.currentNode.data.trim());
      for (const name of ['aria-label', 'title', 'placeholder']) {
        for (const element of html.body.querySelectorAll(`[${name}]`)) keys.push(element.getAttribute(name));
      }
      return keys.filter((key) => /\p{L}/u.test(key) && key !== 'roomcast');
    })) words.add(key);
    await plain.context().close();
    const missing = [...words].filter((key) => !(key in JA));
    expect(words.size > 100 && missing.length === 0, `${words.size} keys; not in the table: ${missing.join(' | ')}`);
    const differing = Object.entries(JA).filter(([en, ja]) => String(en.match(/\{\w+\}/g)?.sort()) !== String(ja.match(/\{\w+\}/g)?.sort()));
    expect(differing.length === 0, `other values than in English: ${differing.join(' | ')}`);
  });

  await test('no look at it has met an error', async () => {
    expect(kim.errors.length === 0, kim.errors.join('; '));
  });

  server.kill();
  await kim.context().close();
}
