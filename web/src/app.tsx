import { useMemo, useState } from "preact/hooks";
import { Actions } from "./actions.tsx";
import { Api } from "./api.ts";
import { Page } from "./page.tsx";
import { keepToken, takeToken } from "./session.ts";
import { SignIn } from "./sign-in.tsx";

export function App() {
  const [token, setToken] = useState(takeToken);
  const [wrong, setWrong] = useState(false);
  const api = useMemo(() => (token === undefined ? undefined : new Api(token)), [token]);

  const signIn = (given: string) => {
    keepToken(given);
    setWrong(false);
    setToken(given);
  };
  const signOut = (refused: boolean) => {
    keepToken(undefined);
    setWrong(refused);
    setToken(undefined);
  };
  if (!api) return <SignIn wrong={wrong} signIn={signIn} />;
  return (
    <Actions refused={() => signOut(true)}>
      <Page api={api} refused={() => signOut(true)} signOut={() => signOut(false)} />
    </Actions>
  );
}
