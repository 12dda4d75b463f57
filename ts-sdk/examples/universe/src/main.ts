// The live page: token, then the universe.

import { byId } from "./dom.js";
import { contextOf, paintSky } from "./sprites.js";
import { dropToken, keepToken, readClaims, takeToken } from "./token.js";
import { runUniverse } from "./universe.js";

function askForToken(problem = ""): void {
  byId("welcome").hidden = false;
  if (window.__libsync === undefined) showEmptySky();
  byId("welcome-problem").textContent = problem;
  byId<HTMLInputElement>("welcome-token").focus();
}

function showEmptySky(): void {
  document.body.classList.add("welcoming");
  const canvas = byId<HTMLCanvasElement>("sky");
  const sky = paintSky(innerWidth, innerHeight, devicePixelRatio);
  canvas.width = sky.width;
  canvas.height = sky.height;
  contextOf(canvas, false).drawImage(sky, 0, 0);
}

byId<HTMLFormElement>("welcome-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId<HTMLInputElement>("welcome-token").value.trim();
  if (readClaims(token) === undefined) {
    askForToken("This is not a token: it has three parts with dots between them.");
    return;
  }
  keepToken(token);
  location.reload();
});

// A new token in the address of an open page.
addEventListener("hashchange", () => {
  if (takeToken() !== undefined) location.reload();
});

const token = takeToken();
const claims = token === undefined ? undefined : readClaims(token);
if (token === undefined) {
  askForToken();
} else if (claims === undefined) {
  dropToken();
  askForToken("What this page was given is not a token.");
} else if (claims.expiresAtMs !== undefined && claims.expiresAtMs < Date.now()) {
  dropToken();
  askForToken("This token has expired. Please get a new one.");
} else {
  runUniverse(token, claims.user, () =>
    askForToken("The server does not accept this token. It may have expired."),
  );
}
