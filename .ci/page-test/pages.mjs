// Pages in a real browser, and tests that look at them.

const PATIENCE_MS = 30_000;

export const counts = { passed: 0, failed: 0 };

/** Runs one test; a failure is told and the next one goes on. */
export async function test(name, body) {
  try {
    await body();
    counts.passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    counts.failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error).split('\n').slice(0, 4).join('\n        ')}`);
  }
}

export function expect(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

/** Waits until `condition` answers something true, and answers that. */
export async function until(what, condition, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    expect(Date.now() < end, `not within ${patienceMs / 1_000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A page, in a browser of its own with these preferences, that remembers what it was told over its WebSocket. */
export async function open(browser, url, viewport, preferences = {}) {
  const page = await (await browser.newContext({ viewport, ...preferences })).newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.heard = [];
  page.byes = [];
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => {
    const message = JSON.parse(payload);
    if (message.type === 'batch') page.heard.push(...message.items);
    else if (message.type === 'stats') page.stats = message;
    else if (message.type === 'bye') page.byes.push(message.reason);
  }));
  await page.goto(url);
  return page;
}

export const isOpen = (page) => until('the page is connected', async () => (await page.getAttribute('#status', 'data-state')) === 'open');
