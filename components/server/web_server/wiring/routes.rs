//! The wiring of the router and of the handlers.

use std::rc::Rc;

use http::{Method, StatusCode};
use kamea::{Component, Done, InboxHandle, OutboxHandle, Policy, at_first_message};

use super::outline::Outline;
use crate::cgi::{candidates, serve_cgi};
use crate::documents::{
    CHANGE, Files, LARGE_THUMBNAIL, THUMBNAIL, change_files, delete_files, put_files,
    serve_thumbnails_until,
};
use crate::server::connection::Opened;
use crate::server::web_server::WebServer;
use crate::server::web_server::slots::{Served, Slot, add_spool, files_of};
use crate::web::{HandlerPorts, HandlerPortsHandles, Request, Route, file_route, route_requests};

/// The ports of the CGI handler that are not linked yet.
struct Programmed {
    requests: InboxHandle<Request>,
    passed: OutboxHandle<Request>,
}

/// A route, under the name of the component that it leads to.
type Rule = (String, Route);

impl WebServer {
    /// The router, the file handler, and the other handlers: first those of the user.
    pub(super) fn wire_routes(&self, outline: &mut Outline, requests: OutboxHandle<Request>) {
        let (cgi, cgi_route) = self.wire_cgi(outline);
        let own = self.routes.iter();
        let own = own.map(|(route, name, add)| (route.clone(), name.as_str(), add));
        let built_in = self.built_in_routes();
        let built_in = built_in
            .iter()
            .map(|(route, name, add)| (route.clone(), *name, add));
        let (mut rules, mut handlers) = (Vec::new(), Vec::new());
        for (route, name, add) in own.chain(built_in) {
            rules.push((name.to_owned(), route));
            handlers.push(add(&mut outline.graph, name));
        }
        handlers.push(self.wire_files(outline).into());

        // If any request may be for a program, programs come first. Otherwise the router sends them
        // their requests, and the requests that they redirect go through a second router.
        let mut ways = Vec::new();
        match (cgi, cgi_route) {
            (Some(cgi), None) => {
                outline.graph.link(requests, cgi.requests);
                ways.push(self.wire_router(outline, "router", rules, cgi.passed));
            }
            (Some(cgi), Some(route)) => {
                let count = rules.len();
                let with_programs = [&rules[..], &[("cgi".to_owned(), route)]].concat();
                let mut first = self.wire_router(outline, "router", with_programs, requests);
                outline.graph.link(first.remove(count), cgi.requests);
                ways.push(first);
                ways.push(self.wire_router(outline, "redirects", rules, cgi.passed));
            }
            (None, _) => ways.push(self.wire_router(outline, "router", rules, requests)),
        }
        let mut ways: Vec<_> = ways.into_iter().map(Vec::into_iter).collect();
        for handler in handlers {
            let outboxes: Vec<_> = ways.iter_mut().filter_map(Iterator::next).collect();
            outline.graph.merge(outboxes, handler.requests);
            outline.failures.extend(handler.failures);
            outline.responses.extend(handler.responses);
            outline.notices.extend(handler.notices);
            outline.forwarded.extend(handler.forwarded);
            outline.remarks.extend(handler.remarks);
        }
    }

    /// The name of the component that gets what no route takes.
    fn rest(&self) -> &'static str {
        match self.files.is_some() || self.site.docroot.is_some() {
            true => "files",
            false => "nothing",
        }
    }

    /// The handler of what no route takes.
    fn wire_files(&self, outline: &mut Outline) -> HandlerPortsHandles {
        let (graph, name) = (&mut outline.graph, self.rest());
        match (&self.files, &self.site.docroot) {
            (Some(own), _) => own(graph, name),
            (None, Some(_)) => graph.add_seeded(name, |connection: &mut Opened| {
                files_of(connection, connection.site_files())
            }),
            (None, None) => graph.add_seeded(name, |_| at_first_message(find_nothing)),
        }
    }

    /// Adds a router; returns its outboxes for each of `rules`, and then the one for files.
    fn wire_router(
        &self,
        outline: &mut Outline,
        name: &str,
        mut rules: Vec<Rule>,
        requests: OutboxHandle<Request>,
    ) -> Vec<OutboxHandle<Request>> {
        let count = rules.len();
        let mut router = match &self.router {
            Some(own) => own(&mut outline.graph, name),
            None => {
                let routes: Vec<_> = rules.iter().map(|(_, route)| route.clone()).collect();
                rules.push((self.rest().to_owned(), file_route()));
                outline.rules.insert(name.to_owned(), rules.into());
                let make = move |_: &mut Opened| route_requests(routes.clone());
                outline.add(name, Policy::CarryOn, make)
            }
        };
        outline.graph.link(requests, router.requests);
        outline.failures.push(router.failures);
        outline.responses.push(router.responses);
        let mut outboxes: Vec<_> = (0..count).map(|_| router.routes.branch()).collect();
        outboxes.push(router.files);
        outboxes
    }

    /// The CGI handler, if it is enabled, and its requests, unless any request may be for it.
    fn wire_cgi(&self, outline: &mut Outline) -> (Option<Programmed>, Option<Route>) {
        let (Some(cgi), Some(_)) = (self.cgi.clone(), &self.site.docroot) else {
            return (None, None);
        };
        let is_buffering = cgi.is_buffering();
        let make = move |connection: &mut Opened| {
            let files = connection.site_files();
            serve_cgi(files, cgi.clone(), connection.socket.clone())
        };
        let handles = outline.add("cgi", Policy::CarryOn, make);
        outline.failures.push(handles.failures);
        outline.responses.push(match is_buffering {
            true => {
                let spool = add_spool(&mut outline.graph, "cgi spool");
                outline.graph.link(handles.responses, spool.responses);
                spool.passed
            }
            false => handles.responses,
        });
        outline.notices.push(handles.notices);
        let programmed = Programmed {
            requests: handles.requests,
            passed: handles.passed,
        };
        (Some(programmed), candidates(&self.site.files.programs))
    }

    /// The handlers that the options of the files require beside the file handler itself.
    fn built_in_routes(&self) -> Vec<(Route, &'static str, Slot<Served>)> {
        let files = &self.site.files;
        let to = Route::any_path;
        let mut routes: Vec<(_, _, Slot<_>)> = Vec::new();
        if self.site.docroot.is_none() {
            return routes;
        }
        if files.thumbnails {
            let route = to()
                .for_methods([Method::GET, Method::HEAD])
                .query(THUMBNAIL)
                .query(LARGE_THUMBNAIL);
            let add: Slot<_> = Box::new(|graph, name| {
                let make = |connection: &mut Opened| {
                    let socket = connection.socket.clone();
                    serve_thumbnails_until(connection.site_files(), move || {
                        let socket = socket.clone();
                        async move { socket.found_gone().await }
                    })
                };
                graph.add_seeded(name, make).into()
            });
            routes.push((route, "thumbnails", add));
        }
        if files.writable {
            routes.push((to().for_methods([Method::PUT]), "put", per_files(put_files)));
            routes.push((
                to().for_methods([Method::DELETE]),
                "delete",
                per_files(delete_files),
            ));
            let route = to().for_methods([Method::POST]).query(CHANGE);
            routes.push((route, "change", per_files(change_files)));
        }
        routes
    }
}

/// The handler of a site without files.
async fn find_nothing(io: &mut HandlerPorts) -> Done {
    while let Some(request) = io.next_without_content().await? {
        let why = "no route of this server takes the path of the request";
        let failure = request.refuse(StatusCode::NOT_FOUND, why);
        io.failures.send(failure).await?;
    }
    Ok(())
}

/// Adds a component that needs the files.
fn per_files<C: Component<HandlerPorts>>(make: fn(Rc<Files>) -> C) -> Slot<Served> {
    Box::new(move |graph, name| {
        let handler = graph.add_seeded(name, move |connection: &mut Opened| {
            make(connection.site_files())
        });
        handler.into()
    })
}
