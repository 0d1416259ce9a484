//! The derive macro behind `#[derive(Ports)]` of Kamea. Use it through `kamea::Ports`, which
//! documents it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, Lit, Meta, parse_macro_input};

/// Implements `Ports` for a struct whose fields are ports, and makes its struct of handles.
#[proc_macro_derive(Ports)]
pub fn derive_ports(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let fields: Vec<&Field> = named_fields(input)?;
    let names: Vec<_> = fields
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let visibilities = fields.iter().map(|field| &field.vis);
    let field_docs = fields.iter().map(|field| {
        format!(
            "Stands for the port [`{0}`]({1}::{0}).",
            names_of(field),
            input.ident
        )
    });
    let comments = fields.iter().map(|field| comment(field));
    let positions = 0..fields.len();

    let (ports, visibility, kamea) = (&input.ident, &input.vis, kamea_path());
    let handles = format_ident!("{ports}Handles");
    let handles_doc = format!("The ports of [`{ports}`] as handles, for wiring a graph.");
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();

    Ok(quote! {
        #[doc = #handles_doc]
        #[derive(Debug)]
        #visibility struct #handles #impl_generics #where_clause {
            #(#[doc = #field_docs] #visibilities #names: <#types as #kamea::Port>::Handle,)*
        }

        impl #impl_generics #kamea::Ports for #ports #type_generics #where_clause {
            type Handles = #handles #type_generics;

            const PORTS: &'static [#kamea::PortInfo] =
                &[#(#kamea::PortInfo::of::<#types>(stringify!(#names), #comments),)*];

            fn handles(component: #kamea::ComponentId) -> Self::Handles {
                #handles { #(#names: <#types as #kamea::Port>::handle(component, #positions),)* }
            }

            fn erase(handles: Self::Handles) -> ::std::vec::Vec<#kamea::AnyPort> {
                ::std::vec![#(<#types as #kamea::Port>::erase(handles.#names),)*]
            }

            fn open(wiring: &mut #kamea::Wiring<'_>) -> Self {
                Self { #(#names: <#types as #kamea::Port>::open(wiring),)* }
            }

            fn dead_letters(&self) -> ::std::vec::Vec<#kamea::Letter<'_>> {
                let letters: ::std::vec::Vec<::std::option::Option<_>> =
                    ::std::vec![#(#kamea::Port::dead_letter(&self.#names),)*];
                letters.into_iter().flatten().collect()
            }
        }
    })
}

/// The kernel calls itself `kamea` too (`extern crate self`), so one path works inside and outside
/// of it.
fn kamea_path() -> TokenStream {
    quote!(::kamea)
}

fn names_of(field: &Field) -> String {
    field
        .ident
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The comment on a field, in one line.
fn comment(field: &Field) -> String {
    let mut lines = Vec::new();
    for attribute in &field.attrs {
        if attribute.path().is_ident("doc")
            && let Meta::NameValue(doc) = &attribute.meta
            && let Expr::Lit(text) = &doc.value
            && let Lit::Str(text) = &text.lit
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join(" ")
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>, Error> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter().collect()),
            Fields::Unit | Fields::Unnamed(_) => Err(Error::new_spanned(
                input,
                "a struct of ports has named fields: a graph names each port when it links it",
            )),
        },
        Data::Enum(_) | Data::Union(_) => Err(Error::new_spanned(
            input,
            "`Ports` can only be derived for a struct whose fields are inboxes and outboxes",
        )),
    }
}
