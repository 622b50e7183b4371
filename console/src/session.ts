/**
 * Stores the token for this tab: the page asks for it once, never puts it into a URL, and forgets it when the tab is closed.
 * The playground reads the same place.
 */

import { HOME, toPage } from "./paths";

const TOKEN = "audience-gql:token";

export const keptToken = () => sessionStorage.getItem(TOKEN);
export const keepToken = (token: string) => sessionStorage.setItem(TOKEN, token);
export const forgetToken = () => sessionStorage.removeItem(TOKEN);

/** The code of the sign-in link that opened this page, or null. It is removed from the address at once. */
export function takeCode(): string | null {
  if (location.pathname !== toPage("sign-in")) return null;
  const code = location.hash.slice(1);
  history.replaceState(null, "", HOME);
  return code || null;
}

/** The token of a code. Throws an Error that says why there is none. */
export async function exchange(code: string): Promise<string> {
  const answer = await fetch(new URL("sign-in/token", document.baseURI), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
  }).catch(() => null);
  const { token, error } = ((await answer?.json().catch(() => null)) ?? {}) as { token?: string; error?: string };
  if (token === undefined) throw new Error(error ?? "the API does not answer");
  return token;
}
