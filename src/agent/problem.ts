/** An error as the agent's HTTP answers it. `hint`: what to do about it. */
export function problem(code: string, message: string, hint = "") {
  return { error: { code, message, hint } };
}
