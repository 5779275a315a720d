// What went out before a page came, and while it was away: shown as that, and not as if it were live.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, isOpen, open, test, until } from './pages.mjs';
import { Server } from './server.mjs';

/** Starts a room in which nearly nothing happens, and tests what those see who come late or come back. */
export async function history(browser, program, pictures) {
  const recording = join(pictures, 'quiet.csv');
  await writeFile(recording, 'offset_us,sender,bytes\n0,1,5\n3000000,2,5\n');
  const options = ['--replay', recording, '--speed', '1', '--likes', '0', '--gifts', '0', '--listen', '127.0.0.1:0'];
  const server = await Server.start(program, options);
  const wide = { width: 1280, height: 800 };
  const kim = await open(browser, `${server.url}?name=kim`, wide);
  let lee;
  let line;
  let free = Promise.resolve();

  const say = async (text) => {
    await kim.fill('#text', text);
    await kim.click('#send');
    await kim.locator('#mine li', { hasText: text }).locator('.outcome[data-state=dispatched]').waitFor();
  };
  const isEarlier = (text) => lee.locator('#earlier li', { hasText: text }).waitFor();
  /** What has flown over the stage of lee. */
  const flown = () => lee.evaluate(() => window.flown);

  await test('who comes late sees what was said before as earlier, and not as live', async () => {
    await isOpen(kim);
    await say('before lee came');
    lee = await open(browser, 'about:blank', wide);
    await lee.routeWebSocket(/\/ws/, async (page) => {
      await free;
      page.connectToServer();
      line = page;
    });
    await lee.addInitScript(() => {
      window.flown = [];
      const note = (records) => {
        for (const { addedNodes } of records) for (const node of addedNodes) window.flown.push(node.textContent);
      };
      addEventListener('DOMContentLoaded', () => {
        new MutationObserver(note).observe(document.getElementById('lanes'), { childList: true });
      });
    });
    await lee.goto(`${server.url}?name=lee`);
    await isOpen(lee);
    await isEarlier('before lee came');
    expect(await lee.isVisible('#earlier .divider'), 'nothing divides it from what is live');
    expect((await lee.textContent('#earlier-title')).includes('messages from before this moment'), 'a screen reader is not told');
    await say('after lee came');
    await until('it flies', async () => (await flown()).some((text) => text.includes('after lee came')));
    const texts = await flown();
    expect(!texts.some((text) => text.includes('before lee came')), `history flew: ${texts}`);
    await lee.screenshot({ path: join(pictures, 'earlier.png') });
  });

  await test('who comes back sees what was said meanwhile, once', async () => {
    let release;
    free = new Promise((resolve) => { release = resolve; });
    await line.close({ code: 4000, reason: 'the line broke' });
    await until('lee is cut off', async () => (await lee.getAttribute('#status', 'data-state')) !== 'open');
    await say('while lee was away');
    release();
    await isOpen(lee);
    await isEarlier('while lee was away');
    expect((await lee.textContent('#earlier .title')) === 'while you were away', 'it does not say when that was');
    const lines = await lee.locator('#earlier li').allTextContents();
    expect(!lines.some((line) => line.includes('lee came')), `what lee knew comes again: ${lines}`);
    await lee.screenshot({ path: join(pictures, 'away.png') });
  });

  await test('no page of this room has met an error', async () => {
    for (const page of [kim, lee]) expect(page.errors.length === 0, page.errors.join('; '));
  });
  server.kill();
  for (const page of [kim, lee]) await page.context().close();
}
