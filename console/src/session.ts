/** Stores the token for this tab: the page asks for it once, never puts it into a URL, and forgets it when the tab is closed. */

const TOKEN = "audience-gql:token";

export const keptToken = () => sessionStorage.getItem(TOKEN);
export const keepToken = (token: string) => sessionStorage.setItem(TOKEN, token);
export const forgetToken = () => sessionStorage.removeItem(TOKEN);
