"""Knowledge for tests: sources that every chat with a coach is offered, in the order in which they were given, whatever
it asks, so that a test knows what an answer can cite.

    offer(uplift, {"title": "Sleep", "text": "Sleep at regular times.", "url": "https://example.org/sleep"}, ...)

Each is a row of ai_knowledge_sources with one passage, and uplift.knowledge_for() says what becomes of it; only that
it is found, which is tested elsewhere, is done for it here.
"""

from process import wait_for

FOUND = """
create or replace function uplift.search_hits(p_shelf text, p_search jsonb, out ids bigint[], out scores real[])
language sql stable
as $$
    select array_agg(t.id order by t.id), array_agg((1000 - t.id)::real order by t.id)
    from uplift.search_texts t where t.is_active and t.shelf = p_shelf and p_shelf = 'knowledge'
$$;
"""


def offer(uplift, *sources):
    """Makes the sources, {title, text, url?, name?}, in place of the demo's, and has them found by every chat from now on;
    their ids. Once for a database, of an Uplift(search=True)."""
    if not wait_for(lambda: "search" not in uplift.get("/readyz").json(), 60):
        raise SystemExit("there is no copy to search in")
    uplift.sql("delete from public.ai_knowledge_sources; delete from uplift.search_texts")
    uplift.sql(FOUND)
    ids = []
    for source in sources:
        text = source["text"]
        ids.append(uplift.value(
            "insert into public.ai_knowledge_sources (source_name, title, source_url, content) values (%s, %s, %s, %s) returning id",
            source.get("name", "Test"), source.get("title"), source.get("url"), text))
    return ids
