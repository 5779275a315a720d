// The host of a room and two who are in it: mute, kick, ban, admins, the muted room, a notice.

import { join } from 'node:path';

import { expect, isOpen, open, test, until } from './pages.mjs';
import { Server } from './server.mjs';

/** Starts a calm room of its own and tests what its host can do. */
export async function moderation(browser, program, pictures) {
  const server = await Server.start(program, ['--speed', '2', '--likes', '50', '--listen', '127.0.0.1:0']);
  const wide = { width: 1280, height: 800 };
  const kim = await open(browser, server.url, wide);
  let ann;
  let bob;

  /** The host chooses a name and what to do about it. */
  const act = async (name, words) => {
    await kim.fill('#name-text', name);
    await kim.click('#name-open');
    await kim.locator('#person button', { hasText: words }).click();
  };
  const say = async (page, text) => {
    await page.fill('#text', text);
    await page.click('#send');
    const outcome = page.locator('#mine li', { hasText: text }).last().locator('.outcome:not([data-state=waiting])');
    return { state: await outcome.getAttribute('data-state'), words: await outcome.textContent() };
  };
  const tip = (page, words) => page.locator('#tips li', { hasText: words }).first().waitFor();
  const snap = (page, name) => page.screenshot({ path: join(pictures, name) });

  await test('the first to join by name hosts the room, and is told so before', async () => {
    await until('the door says it', async () => (await kim.textContent('#door-host')).includes('the first to join'));
    await snap(kim, 'door.png');
    await kim.fill('#nick', 'kim');
    await kim.click('#join-named');
    await kim.locator('#host').waitFor();
    ann = await open(browser, `${server.url}?name=ann`, { width: 390, height: 844 });
    bob = await open(browser, `${server.url}?name=bob`, wide);
    for (const page of [ann, bob]) {
      await isOpen(page);
      expect(await page.isHidden('#host'), 'a member is offered what only the host may do');
    }
    await tip(kim, 'joined');
  });

  await test('a name belongs to the browser that brought it', async () => {
    const eve = await open(browser, `${server.url}?name=kim`, wide);
    await until('eve is turned away', async () => (await eve.textContent('#join-error')).includes('"kim" is taken'));
    await eve.close();
  });

  await test('the host mutes ann, who sees the refusal and until when; everyone sees the tip', async () => {
    expect((await say(ann, 'hello from ann')).state === 'dispatched', 'ann cannot speak to begin with');
    await act('ann', 'Mute for a minute');
    await tip(bob, 'ann was muted for a minute');
    await until('ann is told', async () => /muted until \d\d:\d\d:\d\d/i.test(await ann.textContent('#sanction')));
    const { state, words } = await say(ann, 'can you hear me');
    expect(state === 'refused' && /muted until \d\d:\d\d:\d\d/.test(words), `${state}: ${words}`);
    expect(!bob.heard.some(({ text }) => text === 'can you hear me'), 'bob heard it');
    await snap(ann, 'muted.png');
  });

  await test('unmuted, ann may speak again', async () => {
    await act('ann', 'Unmute');
    await until('ann is told', () => ann.isHidden('#sanction'));
    expect((await say(ann, 'here I am')).state === 'dispatched', 'ann is still muted');
  });

  await test('a click on a name in the chat offers what can be done', async () => {
    // Found and stopped in one step of the page: on a busy machine, it would fly on before the click.
    const stopped = () => {
      const stage = document.querySelector('#stage').getBoundingClientRect();
      for (const flyer of document.querySelectorAll('.flyer[data-nick=bob]')) {
        const { left, right, top, bottom } = flyer.getBoundingClientRect();
        if (left <= stage.left || right >= stage.right) continue;
        for (const flight of flyer.getAnimations()) flight.pause();
        return { x: (left + right) / 2, y: (top + bottom) / 2 };
      }
      return null;
    };
    await until('the dialog opens', async () => {
      await say(bob, 'a line to click on');
      const found = await kim.waitForFunction(stopped, null, { timeout: 10_000 }).catch(() => null);
      if (!found) return false;
      const { x, y } = await found.jsonValue();
      await kim.mouse.click(x, y);
      return kim.locator('#person').waitFor({ timeout: 5_000 }).then(() => true, () => false);
    }, 120_000);
    await kim.evaluate(() => {
      for (const flight of document.getAnimations()) if (flight.playState === 'paused') flight.play();
    });
    await snap(kim, 'person.png');
    await kim.keyboard.press('Escape');
  });

  await test('the muted room is for the host alone, and everyone sees that', async () => {
    await kim.check('#mute-room');
    await tip(ann, 'the room was muted');
    const { state, words } = await say(bob, 'nobody hears this');
    expect(state === 'refused' && words.includes('the room is muted'), `${state}: ${words}`);
    expect((await say(kim, 'a word from the host')).state === 'dispatched', 'the host cannot speak');
    await snap(bob, 'room-muted.png');
    await kim.uncheck('#mute-room');
    await tip(ann, 'everyone may speak again');
    await until('bob is told', () => bob.isHidden('#sanction'));
  });

  await test('who may speak is the host\'s to say, and stands above the chat for everyone', async () => {
    await kim.selectOption('#speak-who', 'marked');
    await tip(ann, 'may speak now: marked speakers');
    await until('bob sees the rule', async () => (await bob.textContent('#speak-mode')) === 'may speak: marked speakers');
    const { state, words } = await say(bob, 'not one of them');
    expect(state === 'refused' && words.includes('only marked users may speak'), `${state}: ${words}`);
    await act('bob', 'Mark as a speaker');
    await tip(ann, 'bob is a marked speaker now by kim');
    expect((await say(bob, 'now I am')).state === 'dispatched', 'bob is marked and cannot speak');
    expect((await say(ann, 'and I')).state === 'refused', 'ann is not marked and can speak');
    await snap(bob, 'speak-mode.png');
    await act('bob', 'Remove the mark');
    expect((await say(bob, 'no longer')).state === 'refused', 'bob is not marked any more and can speak');
    // Whoever was in by then counts as old enough.
    await kim.selectOption('#speak-who', 'members 60');
    await until('ann sees it', async () => (await ann.textContent('#speak-mode')) === 'may speak: members for a minute');
    expect((await say(ann, 'an old hand')).state === 'dispatched', 'ann was here before');
    await kim.selectOption('#speak-who', 'admins');
    await until('ann sees it', async () => (await ann.textContent('#speak-mode')) === 'may speak: admins only');
    expect((await say(ann, 'not staff')).state === 'refused', 'ann is no admin and can speak');
    await kim.selectOption('#speak-who', 'everyone');
    await kim.check('#speak-unique');
    await until('ann sees it', async () => (await ann.textContent('#speak-mode')) === 'may speak: everyone, no repeats');
    expect((await say(ann, 'first!')).state === 'dispatched', 'ann cannot speak');
    expect((await say(bob, 'FIRST!')).state === 'refused', 'bob says what ann said');
    await kim.uncheck('#speak-unique');
    await until('the rule is gone', () => ann.isHidden('#speak-mode'));
    expect((await say(bob, 'first!')).state === 'dispatched', 'bob may not repeat it');
  });

  await test('what is pinned stays above the chat, for those who come later too, until it is unpinned', async () => {
    const pinned = (page) => page.locator('#pins li:visible .pin-text').allTextContents();
    const pin = async (text) => {
      await kim.fill('#notice-text', text);
      await kim.click('#pin-send');
      await bob.locator('#pins li', { hasText: text }).waitFor();
    };
    await pin('The rules: be kind');
    await pin('The encore is at nine');
    const cat = await open(browser, `${server.url}?name=cat`, wide);
    await until('cat has both', async () => (await pinned(cat)).join() === 'The rules: be kind,The encore is at nine');
    expect(await cat.locator('#pins .unpin').first().isHidden(), 'a member is offered to unpin');
    await snap(kim, 'pins-wide.png');
    await snap(ann, 'pins-narrow.png');
    await kim.click('#pins li:first-child .unpin');
    for (const page of [kim, ann, bob, cat]) {
      await until('one is left', async () => (await pinned(page)).join() === 'The encore is at nine');
    }
    await pin('three');
    await pin('four');
    await kim.fill('#notice-text', 'one too many');
    await kim.click('#pin-send');
    const outcome = kim.locator('#mine li', { hasText: 'pin: one too many' }).locator('.outcome[data-state=refused]');
    await until('the engine refuses', async () => (await outcome.textContent()).includes('too many pinned messages'));
    await kim.fill('#notice-text', '');
    for (const left of [2, 1, 0]) {
      await kim.locator('#pins .unpin').first().click();
      await until('it goes everywhere', async () => (await pinned(bob)).length === left);
    }
    expect(await bob.isHidden('#pins'), 'an empty list of pins is shown');
    expect(cat.errors.length === 0, cat.errors.join('; '));
    await cat.close();
  });

  await test('a notice is a banner on every page', async () => {
    await kim.fill('#notice-text', 'The encore starts in five minutes');
    await kim.click('#notice-send');
    for (const page of [kim, ann, bob]) {
      await page.locator('#banner', { hasText: 'The encore starts in five minutes' }).waitFor();
    }
    await snap(kim, 'notice-wide.png');
    await snap(ann, 'notice-narrow.png');
    await bob.click('#banner-close');
    expect(await bob.isHidden('#banner'), 'the banner stays');
  });

  await test('an admin may moderate, but not the host, and is told so in the words of the engine', async () => {
    await act('bob', 'Make admin');
    await bob.locator('#host').waitFor();
    await bob.fill('#name-text', 'kim');
    await bob.click('#name-open');
    await bob.click('#person [data-act=kick]');
    const outcome = bob.locator('#mine li', { hasText: 'kim: kick' }).locator('.outcome[data-state=refused]');
    await until('bob is refused', async () => (await outcome.textContent()).includes('nobody may do that to the owner'));
    await act('bob', 'Remove as admin');
    await until('bob has lost it', () => bob.isHidden('#host'));
  });

  await test('past the page, a member is refused by the engine', async () => {
    const reply = await ann.evaluate(() => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/ws?name=mallory`);
      socket.onopen = () => socket.send(JSON.stringify({ type: 'moderate', id: 1, act: 'kick', name: 'bob' }));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'outcome') resolve(message);
      };
    }));
    expect(reply.state === 'refused' && reply.reason.includes('mallory may not kick bob'), JSON.stringify(reply));
  });

  await test('kicked, ann sees it at the door, and may come again', async () => {
    await act('ann', 'Kick');
    await until('ann is at the door', async () => (await ann.textContent('#join-error')).includes('you were kicked'));
    await tip(bob, 'ann was kicked');
    expect((await ann.getAttribute('#status', 'data-state')) === 'closed', 'ann comes back by herself');
    await snap(ann, 'kicked.png');
    expect(await ann.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page has become wider than its window');
    await ann.fill('#nick', 'ann');
    await ann.click('#join-named');
    await isOpen(ann);
  });

  await test('banned, bob sees until when, and is not let in before', async () => {
    await act('bob', 'Ban for 10 minutes');
    const told = async () => /you are banned until \d\d:\d\d:\d\d/.test(await bob.textContent('#join-error'));
    await until('bob is told', told);
    await bob.fill('#nick', 'bob');
    await bob.click('#join-named');
    await until('bob is turned away', async () => (await bob.isVisible('#join')) && told());
    await act('bob', 'Unban');
    await tip(ann, 'bob may come again');
    await bob.click('#join-named');
    await isOpen(bob);
  });

  await test('no page of this room has met an error, and its books balance', async () => {
    for (const page of [kim, ann, bob]) expect(page.errors.length === 0, page.errors.join('; '));
    const { status, output } = await server.interrupt();
    expect(status === 0 && output.includes('the books balance'), `${status}: ${output}`);
  });
  server.kill();
}
