/* Who is asking. The token lives in this tab's sessionStorage and travels in a header, nowhere else. */

const KEY = "nightdesk.token";
let token = sessionStorage.getItem(KEY);
let me = null;
let reason = null;

export const session = {
  get token() { return token; },
  /** {name, scope} once the token was taken. */
  get me() { return me; },
  /** Why the last one was not, in words. */
  get reason() { return reason; },
  get mayOperate() { return me?.scope === "operate"; },

  keep(given) {
    token = given;
    sessionStorage.setItem(KEY, given);
  },
  accept(who) {
    me = who;
    reason = null;
  },
  drop(why = null) {
    token = null;
    me = null;
    reason = why;
    sessionStorage.removeItem(KEY);
  },
};
