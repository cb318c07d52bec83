// What is typed in a search field is searched for once the typing pauses, and not at all when its page has gone by then.
import { useLayoutEffect, useRef } from 'preact/hooks';

const pauseMs = 200;

/** @param search is given what stands in the field; the answer is for `onInput` */
export function useTyping(search) {
  const timer = useRef();
  useLayoutEffect(() => () => clearTimeout(timer.current), []);
  return ({ target }) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => search(target.value.trim()), pauseMs);
  };
}
