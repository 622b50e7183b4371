/** The token lives as long as this tab: asked for once, never in an address, gone when the tab is closed. */

const TOKEN = "audience-gql:token";

export const keptToken = () => sessionStorage.getItem(TOKEN);
export const keepToken = (token: string) => sessionStorage.setItem(TOKEN, token);
export const forgetToken = () => sessionStorage.removeItem(TOKEN);
